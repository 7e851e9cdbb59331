-- the batch
SET VARIABLE iteration = getvariable('iteration') + 1;
SET VARIABLE before = {'time': epoch_ms(now()), 'bytes': exchange_bytes()};
SET VARIABLE epoch = (getvariable('iteration') - 1) // getvariable('batches');
SET VARIABLE number = (getvariable('iteration') - 1) % getvariable('batches');
DELETE FROM lr_order WHERE getvariable('number') = 0;
INSERT INTO lr_order
    SELECT getvariable('epoch'), row, row_number() OVER (ORDER BY batch_key(row, getvariable('batch_seed'), getvariable('epoch')))
    FROM lr_rows WHERE getvariable('number') = 0;
SET VARIABLE size = (SELECT count(*) FROM lr_order
                     WHERE (place - 1) * getvariable('batches') // getvariable('rows') = getvariable('number'));
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT flatten(list(x ORDER BY place)) AS x, list(m ORDER BY place) AS m, list(my ORDER BY place) AS my,
           ring_encode(list(y ORDER BY place)) AS y,
           ring_encode(list(CASE getvariable('kind') WHEN 'identity' THEN y * y / 2 / getvariable('size') ELSE 0 END ORDER BY place),
                       scale := 40) AS half
    FROM lr_order JOIN lr_data USING (row)
    WHERE (place - 1) * getvariable('batches') // getvariable('rows') = getvariable('number');

-- include reach.sql

-- random numbers of this step: with the helper's seed, and its corrections
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(seed, step || '-u', size * width) AS u, ring_random(seed, step || '-t', total) AS t, c,
           ring_random(seed, step || '-a', 3 * size) AS a, ring_random(seed, step || '-b', 3 * size) AS b, ab,
           ring_random(seed, step || '-t2', size) AS t2, c2,
           ring_random(seed, step || '-r1', total) AS r1, s1, p1, ring_random(seed, step || '-r2', total) AS r2, s2, p2
    FROM (SELECT getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step, getvariable('size') AS size,
                 getvariable('width') AS width, getvariable('total') AS total),
         exchange_recv(getvariable('helper'), 'lrh/deal-' || getvariable('iteration'),
                       columns := 'c UBIGINT[], ab UBIGINT[], c2 UBIGINT[], s1 UBIGINT[], p1 UBIGINT[], s2 UBIGINT[], p2 UBIGINT[]');
SELECT require(count(*) = 1, 'the helper has to deal once for each step') FROM lr_deal;

-- include scores.sql

-- residuals: prediction less label where all have a record, and the terms of the loss
CREATE OR REPLACE TEMP TABLE lr_factors AS
    SELECT list_concat(m, list_concat(m, my)) AS x,
           list_concat(ring_sub(value, y),
                       list_concat(CASE WHEN getvariable('kind') = 'identity' THEN ring_add(loss, half) ELSE loss END, score)) AS y
    FROM lr_batch,
         exchange_recv(getvariable('helper'), 'lrh/activated-' || getvariable('iteration'), columns := 'value UBIGINT[], loss UBIGINT[], score UBIGINT[]');
SELECT require(count(*) = 1, 'the helper has to answer the scores once') FROM lr_factors;
-- include step.sql

-- loss: the one number that we see
INSERT INTO lr_log
    SELECT getvariable('iteration'),
           ring_decode(ring_add(own.loss, (SELECT ring_sum(l.loss)
               FROM exchange_recv_all(getvariable('others'), 'lrh/loss-' || getvariable('iteration'), columns := 'loss UBIGINT[]') l)),
               scale := 40)[1],
           NULL, (epoch_ms(now()) - getvariable('before').time) / 1000, exchange_bytes() - getvariable('before').bytes
    FROM lr_residual own;

-- done
SELECT loss, seconds, bytes FROM lr_log WHERE iteration = getvariable('iteration');
