-- include sizes.sql

-- which rows count, and their labels, masked for good, to the other parties
CREATE OR REPLACE TEMP TABLE lr_masked AS
    SELECT ring_sub(m.share, a) AS m, CASE WHEN getvariable('with_loss') THEN ring_sub(my.share, b) ELSE [] END AS my
    FROM lr_masks m, lr_masks my,
         (SELECT flatten(list(ring_random(getvariable('seed'), 'batch-' || number || '-a', size) ORDER BY number)) AS a,
                 flatten(list(ring_random(getvariable('seed'), 'batch-' || number || '-b', size) ORDER BY number)) AS b
          FROM (SELECT (row - 1) * getvariable('batches') // getvariable('rows') AS number, count(*) AS size
                FROM range(1, getvariable('rows') + 1) t(row) GROUP BY number))
    WHERE m.stage = getvariable('counted') - 1 AND my.stage = getvariable('counted');
CALL exchange_send(getvariable('others'), 'lrh/open-masks', 'FROM lr_masked');
CREATE OR REPLACE TEMP TABLE lr_opened AS
    SELECT ring_add(own.m, o.m) AS m, ring_add(own.my, o.my) AS my
    FROM lr_masked own,
         (SELECT CASE WHEN count(DISTINCT sender) = count(*) THEN count(*) END AS messages, ring_sum(m) AS m, ring_sum(my) AS my
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-masks', columns := 'm UBIGINT[], my UBIGINT[]')) o
    WHERE require(messages = len(getvariable('parties')) - 1, 'each party has to open its masks once');

-- all of a row beside each other, batch by batch: row numbers are random
CREATE OR REPLACE TEMP TABLE lr_data AS
    SELECT (row - 1) * getvariable('batches') // getvariable('rows') AS number, row, x, m, my, myy, mu, nu
    FROM lr_rows
    JOIN (SELECT generate_subscripts(m.share, 1) AS row, unnest(m.share) AS m, unnest(my.share) AS my, unnest(coalesce(myy.share, my.share)) AS myy,
                 unnest(o.m) AS mu, unnest(o.my) AS nu
          FROM lr_opened o, lr_masks m, lr_masks my LEFT JOIN lr_masks myy ON myy.stage > my.stage
          WHERE m.stage = getvariable('counted') - 1 AND my.stage = getvariable('counted')) USING (row)
    ORDER BY row;
DROP TABLE lr_rows;
SELECT require(count(*) = 0, 'in a batch some numbers are too far from the others: '
               || string_agg(DISTINCT coalesce((getvariable('features')::VARCHAR[])[place + 1 - getvariable('width') + len(getvariable('features'))], 'the intercept'), ', ')
               || '; take the logarithm of such columns, leave them out with --set columns=…, or have all parties set a larger batch')
FROM (SELECT number, place, sum(CASE WHEN v < 9223372036854775808 THEN v ELSE 18446744073709551616 - v END) AS total
      FROM (SELECT number, generate_subscripts(x, 1) - 1 AS place, unnest(x) AS v FROM lr_data) GROUP BY number, place)
WHERE total > getvariable('reach') * 1.01 * 1048576;

-- weights of 0
CREATE OR REPLACE TEMP TABLE lr_weights AS SELECT list_resize([]::UBIGINT[], getvariable('total'), 0::UBIGINT) AS w, []::UBIGINT[] AS loss;
CREATE OR REPLACE TEMP TABLE lr_log (iteration BIGINT, loss DOUBLE, gradient_norm DOUBLE, seconds DOUBLE, bytes BIGINT);
SET VARIABLE loss_unit = CASE getvariable('kind') WHEN 'identity' THEN 2 ELSE 1 END;
SET VARIABLE loss_scale = CASE getvariable('kind') WHEN 'identity' THEN 2 * getvariable('label_scale') ELSE 28 END;
SET VARIABLE k = -1;

-- part features while getvariable('activation') = 'blind' AND (getvariable('k') + 1) * getvariable('together') < getvariable('batches')

-- features of some batches, masked for good, to the other parties
SET VARIABLE k = getvariable('k') + 1;
CALL exchange_send(getvariable('others'), 'lrh/open-features-' || getvariable('k'), $$
    SELECT number, ring_sub(x, ring_random(getvariable('seed'), 'batch-' || number || '-u', len(x))) AS e
    FROM (SELECT number, flatten(list(x ORDER BY row)) AS x FROM lr_data WHERE number // getvariable('together') = getvariable('k') GROUP BY number)
    ORDER BY number $$);

-- part weights
SET VARIABLE iteration = 0;
