-- the batch, and the length of the step
SET VARIABLE iteration = getvariable('iteration') + 1;
SET VARIABLE before = {'time': epoch_ms(now()), 'bytes': exchange_bytes()};
SET VARIABLE number = (getvariable('iteration') - 1) % getvariable('batches');
SET VARIABLE rate = getvariable('learning_rate')::DOUBLE / (1 + getvariable('decay')::DOUBLE * (getvariable('iteration') - 1));
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT flatten(list(x ORDER BY row)) AS x, list(m ORDER BY row) AS m, list(my ORDER BY row) AS my, list(myy ORDER BY row) AS myy,
           list(mu ORDER BY row) AS mu, coalesce(list(nu ORDER BY row) FILTER (nu IS NOT NULL), []) AS nu, count(*) AS size
    FROM lr_data
    WHERE number = getvariable('number')
      AND row > getvariable('number') * getvariable('rows') // getvariable('batches')
      AND row <= (getvariable('number') + 1) * getvariable('rows') // getvariable('batches') + 1;
SET VARIABLE size = (SELECT size FROM lr_batch);
