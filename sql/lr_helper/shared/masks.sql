CALL exchange_send(getvariable('others'), 'lrh/open-all-' || getvariable('stage'),
    $$ SELECT ring_sub(x, a) AS d, ring_sub(y, b) AS e FROM lr_factors, lr_deal $$);
INSERT INTO lr_masks
    SELECT getvariable('stage'), ring_add(ab, ring_add(ring_mul(d, b), ring_mul(e, CASE WHEN getvariable('leads') THEN ring_add(a, d) ELSE a END)))
    FROM lr_deal,
         (SELECT ring_add(ring_sub(x, a), od) AS d, ring_add(ring_sub(y, b), oe) AS e
          FROM lr_factors, lr_deal,
               (SELECT ring_sum(d) AS od, ring_sum(e) AS oe, CASE WHEN count(DISTINCT sender) = count(*) THEN count(*) END AS messages
                FROM exchange_recv_all(getvariable('others'), 'lrh/open-all-' || getvariable('stage'), columns := 'd UBIGINT[], e UBIGINT[]'))
          WHERE require(messages = len(getvariable('parties')) - 1, 'each party has to open its masks once'));
