-- settings
SET VARIABLE duckpriv_protocol = 'moments/1';
SET VARIABLE duckpriv_parameters = 'sigma=' || getvariable('sigma');
SELECT require(duckpriv_is_integer(getvariable('sigma')), 'sigma is a whole number'),
       require_result(getvariable('result') || '_share', ['row', 'column', 'share']),
       require_result(getvariable('result') || '_columns', ['position', 'party', 'name', 'role', 'mean', 'deviation', 'rows', 'common', 'both_lack', 'session']);
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END;
SET VARIABLE id_column = duckpriv_written(getvariable('table'), getvariable('id'));
