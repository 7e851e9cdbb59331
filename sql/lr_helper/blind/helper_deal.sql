-- include sizes.sql

SELECT require((getvariable('total') + getvariable('dealt_width')) * getvariable('largest_batch') <= getvariable('most_numbers')::BIGINT,
               'a step needs ' || (getvariable('total') + getvariable('dealt_width')) * getvariable('largest_batch')
               || ' random numbers, and most_numbers is ' || getvariable('most_numbers') || '; to deal so many at once, --set most_numbers=NUMBER');
SET VARIABLE message = -1;

-- part deal while getvariable('activation') = 'blind' AND (getvariable('message') + 1) * getvariable('dealt_together') < getvariable('iterations')
SET VARIABLE message = getvariable('message') + 1;
CALL exchange_send(getvariable('host'), 'lrh/ahead-' || getvariable('message'), $$
    WITH step AS (
        SELECT *, ((number + 1) * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches')
                  - (number * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches') AS size
        FROM (SELECT iteration, (iteration - 1) % getvariable('batches') AS number
              FROM range(getvariable('message') * getvariable('dealt_together') + 1,
                         least((getvariable('message') + 1) * getvariable('dealt_together'), getvariable('iterations')) + 1) t(iteration))),
    -- as each party has them
    random AS MATERIALIZED (
        SELECT iteration, size, seed, party = getvariable('host') AS corrected, position, start, width,
               ring_random(seed, 'batch-' || number || '-u', size * width) AS u, ring_random(seed, 'batch-' || number || '-a', size) AS a,
               ring_random(seed, 'batch-' || number || '-b', CASE WHEN getvariable('with_loss') THEN size ELSE 0 END) AS b,
               ring_random(seed, 'step-' || iteration || '-t', getvariable('total')) AS t, ring_random(seed, 'step-' || iteration || '-r', size) AS r,
               ring_random(seed, 'step-' || iteration || '-t2', size) AS t2, ring_random(seed, 'step-' || iteration || '-r2', getvariable('total')) AS r2
        FROM step, lr_parties),
    sums AS MATERIALIZED (
        SELECT iteration, ring_sum(t) AS t, ring_sum(t2) AS t2, ring_sum(r2) AS r2, ring_sum(r) AS r, ring_sum(a) AS a, ring_sum(b) AS b
        FROM random GROUP BY iteration),
    products AS (
        SELECT iteration, ring_sum(ring_matvec(u, ring_sub(sums.t, random.t)[start + 1 : start + width])) AS c,
               flatten(list(ring_vecmat(ring_sub(sums.t2, random.t2), u) ORDER BY position)) AS c2
        FROM random JOIN sums USING (iteration) GROUP BY iteration),
    -- what the others have of their sum, by their seeds
    others AS (
        SELECT iteration, ring_sum(ring_random(seed, 'step-' || iteration || '-c', size)) AS c,
               ring_sum(ring_random(seed, 'step-' || iteration || '-dealt', size * getvariable('dealt_width'))) AS dealt,
               ring_sum(ring_random(seed, 'step-' || iteration || '-c2', getvariable('total'))) AS c2,
               ring_sum(ring_random(seed, 'step-' || iteration || '-s2', getvariable('total'))) AS s2,
               ring_sum(ring_random(seed, 'step-' || iteration || '-p2', getvariable('total'))) AS p2
        FROM random WHERE NOT corrected GROUP BY iteration)
    SELECT iteration, ring_sub(products.c, others.c) AS c,
           ring_sub(activation_deal(r, a, b, getvariable('kind'), getvariable('score_range'), getvariable('label_scale'), getvariable('with_loss')),
                    others.dealt) AS dealt,
           ring_sub(products.c2, others.c2) AS c2, ring_sub(ring_shift(r2, getvariable('bits')), others.s2) AS s2,
           ring_sub(ring_shift(r2, 63), others.p2) AS p2
    FROM sums JOIN products USING (iteration) JOIN others USING (iteration) ORDER BY iteration $$);
