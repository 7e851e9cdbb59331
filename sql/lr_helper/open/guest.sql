-- the batch
SET VARIABLE iteration = getvariable('iteration') + 1;
SET VARIABLE before = {'time': epoch_ms(now()), 'bytes': exchange_bytes()};
SET VARIABLE epoch = (getvariable('iteration') - 1) // getvariable('batches');
SET VARIABLE number = (getvariable('iteration') - 1) % getvariable('batches');
DELETE FROM lr_order WHERE getvariable('number') = 0;
INSERT INTO lr_order
    SELECT getvariable('epoch'), row, row_number() OVER (ORDER BY batch_key(row, getvariable('batch_seed'), getvariable('epoch')))
    FROM lr_rows WHERE getvariable('number') = 0;
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT flatten(list(x ORDER BY place)) AS x, list(m ORDER BY place) AS m, list(my ORDER BY place) AS my, count(*) AS size
    FROM lr_order JOIN lr_data USING (row)
    WHERE (place - 1) * getvariable('batches') // getvariable('rows') = getvariable('number');
SET VARIABLE size = (SELECT size FROM lr_batch);

-- include reach.sql

-- random numbers of this step: with the helper's seed
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(seed, step || '-u', size * width) AS u, ring_random(seed, step || '-t', total) AS t,
           ring_random(seed, step || '-c', size) AS c, ring_random(seed, step || '-a', 3 * size) AS a,
           ring_random(seed, step || '-b', 3 * size) AS b, ring_random(seed, step || '-ab', 3 * size) AS ab,
           ring_random(seed, step || '-t2', size) AS t2, ring_random(seed, step || '-c2', total) AS c2,
           ring_random(seed, step || '-r1', total) AS r1, ring_random(seed, step || '-s1', total) AS s1,
           ring_random(seed, step || '-p1', total) AS p1, ring_random(seed, step || '-r2', total) AS r2,
           ring_random(seed, step || '-s2', total) AS s2, ring_random(seed, step || '-p2', total) AS p2
    FROM (SELECT getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step, getvariable('size') AS size,
                 getvariable('width') AS width, getvariable('total') AS total);

-- include scores.sql

-- residuals: prediction less label where all have a record, and the terms of the loss
CREATE OR REPLACE TEMP TABLE lr_factors AS
    SELECT list_concat(m, list_concat(m, my)) AS x,
           list_concat(ring_random(seed, step || '-value', size),
                       list_concat(ring_random(seed, step || '-loss', size), ring_random(seed, step || '-score', size))) AS y
    FROM (SELECT m, my, getvariable('size') AS size, getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step FROM lr_batch);
-- include step.sql

-- loss: our share to the host, of a mean over the batch, with noise
CALL exchange_send(getvariable('host'), 'lrh/loss-' || getvariable('iteration'), $$
    SELECT ring_add(loss, ring_encode([gaussian_noise(1, getvariable('noise')::DOUBLE / sqrt(getvariable('size')))], scale := 40)) AS loss
    FROM lr_residual WHERE getvariable('with_loss') $$);
INSERT INTO lr_log
    SELECT getvariable('iteration'), NULL, NULL, (epoch_ms(now()) - getvariable('before').time) / 1000,
           exchange_bytes() - getvariable('before').bytes;

-- done
SELECT seconds, bytes FROM lr_log WHERE iteration = getvariable('iteration');
