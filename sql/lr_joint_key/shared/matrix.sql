-- the rows to score
CREATE OR REPLACE TEMP TABLE predict_matrix AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'),
                     names := getvariable('features')::VARCHAR[]);
SELECT require(count(id) = count(*) AND count(DISTINCT id) = count(*), 'an id is missing or occurs more than once; each id needs one row: take a view that has one') FROM predict_matrix;
SET VARIABLE scored = 'predict_matrix';
