CALL exchange_send(getvariable('others'), 'lrh/open-product-' || getvariable('iteration'),
    $$ SELECT ring_sub(x, a) AS d, ring_sub(y, b) AS e FROM lr_factors, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_product AS
    SELECT ring_add(ab, ring_add(ring_mul(d, b), ring_mul(e, CASE WHEN getvariable('leads') THEN ring_add(a, d) ELSE a END))) AS share
    FROM lr_deal,
         (SELECT ring_add(ring_sub(x, a), od) AS d, ring_add(ring_sub(y, b), oe) AS e
          FROM lr_factors, lr_deal,
               (SELECT ring_sum(d) AS od, ring_sum(e) AS oe
                FROM exchange_recv_all(getvariable('others'), 'lrh/open-product-' || getvariable('iteration'),
                                       columns := 'd UBIGINT[], e UBIGINT[]')));
CREATE OR REPLACE TEMP TABLE lr_residual AS
    SELECT share[: getvariable('size')] AS e,
           ring_sub(ring_vecmat(share[getvariable('size') + 1 : 2 * getvariable('size')], ones),
                    ring_vecmat(share[2 * getvariable('size') + 1 :], ones)) AS loss
    FROM lr_product, (SELECT list_resize([]::UBIGINT[], getvariable('size'), 1::UBIGINT) AS ones);

-- gradient: residuals, masked, to the other parties
CALL exchange_send(getvariable('others'), 'lrh/open-residual-' || getvariable('iteration'),
    $$ SELECT ring_sub(e, t2) AS f FROM lr_residual, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_gradient AS
    SELECT ring_add(c2, g) AS g
    FROM lr_deal, (
        SELECT flatten(list(part ORDER BY position)) AS g FROM (
            SELECT position, ring_vecmat(t2, e) AS part FROM lr_open, lr_deal
            UNION ALL
            SELECT list_position(getvariable('parties'), getvariable('me')),
                   lr_shared_gradient(x, r.e, opened)
            FROM lr_batch, lr_residual r,
                 (SELECT ring_sum(f) AS opened
                  FROM exchange_recv_all(getvariable('others'), 'lrh/open-residual-' || getvariable('iteration'), columns := 'f UBIGINT[]'))));

-- gradient: back to scale 20, from the opened sum with a random number
CALL exchange_send(getvariable('others'), 'lrh/open-gradient-' || getvariable('iteration'),
    $$ SELECT ring_add(g, r1) AS c FROM lr_gradient, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_truncated AS
    SELECT share_truncate(ring_add(ring_add(g, r1), ring_add(opened, positive)), s1, p1, 20, getvariable('leads')) AS g
    FROM lr_gradient, lr_deal,
         (SELECT ring_sum(c) AS opened, list_resize([]::UBIGINT[], getvariable('total'), 4611686018427387904::UBIGINT) AS positive
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-gradient-' || getvariable('iteration'), columns := 'c UBIGINT[]'));

-- update: the step at scale 50, for all but the intercept with the pull to 0
SET VARIABLE rate = getvariable('learning_rate')::DOUBLE / (1 + getvariable('decay')::DOUBLE * (getvariable('iteration') - 1));
CREATE OR REPLACE TEMP TABLE lr_step AS
    SELECT ring_add(ring_scale(g, -round(getvariable('rate') / getvariable('size') * 2 ** 30)::BIGINT),
                    ring_scale(list_prepend(0::UBIGINT, w[2:]), -round(getvariable('rate') * getvariable('l2')::DOUBLE * 2 ** 30)::BIGINT)) AS v
    FROM lr_truncated, lr_weights;
CALL exchange_send(getvariable('others'), 'lrh/open-step-' || getvariable('iteration'),
    $$ SELECT ring_add(v, r2) AS c FROM lr_step, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_weights AS
    SELECT ring_add(w, share_truncate(ring_add(ring_add(v, r2), ring_add(opened, positive)), s2, p2, 30, getvariable('leads'))) AS w
    FROM lr_weights, lr_step, lr_deal,
         (SELECT ring_sum(c) AS opened, list_resize([]::UBIGINT[], getvariable('total'), 4611686018427387904::UBIGINT) AS positive
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-step-' || getvariable('iteration'), columns := 'c UBIGINT[]'));
