-- random numbers of this step: with the helper's seed, and what it sent ahead
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(seed, step || '-t', total) AS t, ring_random(seed, step || '-r', size) AS r, ring_random(seed, step || '-t2', size) AS t2,
           ring_random(seed, step || '-r2', total) AS r2, c, dealt, c2, s2, p2
    FROM (SELECT getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step, getvariable('size') AS size,
                 getvariable('total') AS total),
         exchange_recv(getvariable('helper'), 'lrh/ahead-' || (getvariable('iteration') - 1) // getvariable('dealt_together'),
                       columns := 'iteration BIGINT, c UBIGINT[], dealt UBIGINT[], c2 UBIGINT[], s2 UBIGINT[], p2 UBIGINT[]')
    WHERE iteration = getvariable('iteration');
SELECT require(count(*) = 1, 'the helper has to deal once for each step') FROM lr_deal;
