-- the next rows
SET VARIABLE iteration = getvariable('iteration') + 1;
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT flatten(list(x ORDER BY row)) AS x, count(*) AS size FROM lr_rows
    WHERE (row - 1) * getvariable('batches') // getvariable('rows') = getvariable('iteration') - 1;
SET VARIABLE size = (SELECT size FROM lr_batch);
