-- random numbers of this step: with the helper's seed
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(seed, step || '-t', total) AS t, ring_random(seed, step || '-r', size) AS r, ring_random(seed, step || '-t2', size) AS t2,
           ring_random(seed, step || '-r2', total) AS r2, ring_random(seed, step || '-c', size) AS c,
           ring_random(seed, step || '-dealt', size * getvariable('dealt_width')) AS dealt, ring_random(seed, step || '-c2', total) AS c2,
           ring_random(seed, step || '-s2', total) AS s2, ring_random(seed, step || '-p2', total) AS p2
    FROM (SELECT getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step, getvariable('size') AS size,
                 getvariable('total') AS total);
