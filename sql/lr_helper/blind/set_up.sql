-- the shares beside the rows, batch by batch: row numbers are random; weights of 0
CREATE OR REPLACE TEMP TABLE lr_data AS
    SELECT (row - 1) * getvariable('batches') // getvariable('rows') AS number, row, x, m, my, myy
    FROM lr_rows
    JOIN (SELECT generate_subscripts(m.share, 1) AS row, unnest(m.share) AS m, unnest(my.share) AS my, unnest(coalesce(myy.share, my.share)) AS myy
          FROM lr_masks m, lr_masks my LEFT JOIN lr_masks myy ON myy.stage > my.stage
          WHERE m.stage = len(getvariable('guest_list')) - 1 AND my.stage = len(getvariable('guest_list'))) USING (row)
    ORDER BY row;
SELECT require(count(*) = 0, 'in a batch some numbers are too far from the others: '
               || string_agg(DISTINCT coalesce((getvariable('features')::VARCHAR[])[place + 1 - getvariable('width') + len(getvariable('features'))], 'the intercept'), ', ')
               || '; take the logarithm of such columns, leave them out with --set columns=…, or have all parties set a larger batch')
FROM (SELECT number, place, sum(CASE WHEN v < 9223372036854775808 THEN v ELSE 18446744073709551616 - v END) AS total
      FROM (SELECT number, generate_subscripts(x, 1) - 1 AS place, unnest(x) AS v FROM lr_data) GROUP BY number, place)
WHERE total > getvariable('reach') * 1.01 * 1048576;
CREATE OR REPLACE TEMP TABLE lr_weights AS SELECT list_resize([]::UBIGINT[], getvariable('total'), 0::UBIGINT) AS w, []::UBIGINT[] AS loss;
CREATE OR REPLACE TEMP TABLE lr_log (iteration BIGINT, loss DOUBLE, gradient_norm DOUBLE, seconds DOUBLE, bytes BIGINT);

-- include sizes.sql

-- which rows count, and their labels, masked for good, to the other parties
CREATE OR REPLACE TEMP TABLE lr_masked AS
    SELECT ring_sub(m, flatten(a)) AS m, CASE WHEN getvariable('with_loss') THEN ring_sub(my, flatten(b)) ELSE [] END AS my
    FROM (SELECT list(m ORDER BY row) AS m, list(my ORDER BY row) AS my FROM lr_data),
         (SELECT list(ring_random(getvariable('seed'), 'batch-' || number || '-a', size) ORDER BY number) AS a,
                 list(ring_random(getvariable('seed'), 'batch-' || number || '-b', size) ORDER BY number) AS b
          FROM (SELECT number, count(*) AS size FROM lr_data GROUP BY number));
CALL exchange_send(getvariable('others'), 'lrh/open-masks', 'FROM lr_masked');
CREATE OR REPLACE TEMP TABLE lr_opened AS
    SELECT ring_add(own.m, o.m) AS m, ring_add(own.my, o.my) AS my
    FROM lr_masked own,
         (SELECT count(*) AS messages, ring_sum(m) AS m, ring_sum(my) AS my
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-masks', columns := 'm UBIGINT[], my UBIGINT[]')) o
    WHERE require(messages = len(getvariable('parties')) - 1, 'each party has to open its masks once');
CREATE OR REPLACE TEMP TABLE lr_data AS
    SELECT d.*, mu, nu FROM lr_data d JOIN (SELECT generate_subscripts(m, 1) AS row, unnest(m) AS mu, unnest(my) AS nu FROM lr_opened) USING (row)
    ORDER BY row;
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
