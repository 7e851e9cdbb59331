-- settings
SET VARIABLE duckpriv_protocol = 'matmul/2';
SET VARIABLE duckpriv_parameters = 'scale=' || getvariable('scale') || ' bound=' || getvariable('bound')
    || ' sigma=' || getvariable('sigma') || ' reveal=' || getvariable('reveal')
    || ' share_ids=' || getvariable('share_ids');
SELECT require(getvariable('reveal') IN ('none', 'left', 'right', 'both')
               AND getvariable('share_ids') IN ('yes', 'no'),
               'reveal is none, left, right or both, and share_ids yes or no'),
       require_result(getvariable('result') || '_share', ['id', 'share']), require_result(getvariable('result'), ['id', 'value']);

-- our matrix
SET VARIABLE id_column = duckpriv_written(getvariable('table'), getvariable('id'));
SET VARIABLE number_columns = duckpriv_written(getvariable('table'), getvariable('columns'));
CREATE OR REPLACE TEMP TABLE matmul_rows AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'),
                     columns := getvariable('number_columns'), list := getvariable('list'));
SELECT require(count(DISTINCT id) = count(*) AND count(DISTINCT len(x)) <= 1
               AND coalesce(bool_and(len(x) > 0 AND len(x) = len(list_filter(x, lambda v: isfinite(v)))), true),
               'each row of a matrix needs an id of its own and equally many numbers, no NULL, NaN or infinity')
FROM matmul_rows;
