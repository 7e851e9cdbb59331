-- settings
SET VARIABLE duckpriv_protocol = 'scorecard/2';
SET VARIABLE duckpriv_parameters = 'sigma=' || getvariable('sigma');
SELECT require(duckpriv_is_integer(getvariable('sigma')), 'sigma is a whole number'),
       require(duckpriv_is_integer(getvariable('max_bins')) AND TRY_CAST(getvariable('max_bins') AS INTEGER) BETWEEN 1 AND 1000, 'max_bins is a whole number from 1 to 1,000'),
       require(duckpriv_is_integer(getvariable('minimum')) AND TRY_CAST(getvariable('minimum') AS INTEGER) >= 1, 'minimum is a whole number, 1 at least'),
       require(coalesce(isfinite(TRY_CAST(getvariable('epsilon') AS DOUBLE)) AND TRY_CAST(getvariable('epsilon') AS DOUBLE) >= 0, false),
               'epsilon is a number, 0 or more; 0: no noise');
SET VARIABLE max_bins = getvariable('max_bins')::BIGINT;
SET VARIABLE epsilon = getvariable('epsilon')::DOUBLE;
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END || ' max_bins=' || getvariable('max_bins')
    || ' minimum=' || getvariable('minimum')::INTEGER || ' epsilon=' || getvariable('epsilon');
SET VARIABLE id_column = duckpriv_written(getvariable('table'), getvariable('id'));
