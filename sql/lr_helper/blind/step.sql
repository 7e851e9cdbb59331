-- weights, masked, to the other parties
CALL exchange_send(getvariable('others'), 'lrh/open-weights-' || getvariable('iteration'), $$ SELECT ring_sub(w, t) AS f FROM lr_weights, lr_deal $$);

-- scores, masked, to the other parties
CREATE OR REPLACE TEMP TABLE lr_score AS
    SELECT ring_add(r, ring_add(c, ring_add(
               ring_matvec(x, ring_add(w, f)[getvariable('start') + 1 : getvariable('start') + getvariable('width')]), z))) AS d
    FROM lr_batch, lr_deal, lr_weights,
         (SELECT ring_sum(f) AS f, CASE WHEN count(DISTINCT sender) = count(*) THEN count(*) END AS weights
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-weights-' || getvariable('iteration'), columns := 'f UBIGINT[]')),
         (SELECT ring_sum(ring_matvec(e, t[start + 1 : start + width])) AS z, CASE WHEN count(DISTINCT sender) = count(*) THEN count(*) END AS features
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-features-' || getvariable('number') // getvariable('together'),
                                 columns := 'number BIGINT, e UBIGINT[]')
          JOIN lr_parties ON party = sender, lr_deal WHERE number = getvariable('number'))
    WHERE require(weights = len(getvariable('parties')) - 1 AND features = len(getvariable('parties')) - 1,
                  'each party has to open its masked features and weights once');
CALL exchange_send(getvariable('others'), 'lrh/open-score-' || getvariable('iteration'), 'SELECT d FROM lr_score');

-- residuals, masked, to the other parties
CREATE OR REPLACE TEMP TABLE lr_residual AS
    SELECT s.residual AS e, s.guard AS guard,
           CASE WHEN getvariable('with_loss') AND getvariable('kind') = 'identity'
                THEN ring_add(s.loss, ring_vecmat(myy, list_resize([]::UBIGINT[], getvariable('size'), 1::UBIGINT))) ELSE s.loss END AS loss
    FROM (SELECT activation_share(ring_add(own.d, o.d), mu, nu, m, my, dealt, series, getvariable('kind'), getvariable('score_range'),
                                  getvariable('label_scale'),
                                  round(getvariable('rate') / getvariable('size')
                                        * 2.0::DOUBLE ** (getvariable('bits') - getvariable('label_scale')))::BIGINT,
                                  getvariable('with_loss'), getvariable('leads')) AS s, myy
          FROM lr_score own, lr_batch, lr_deal, lr_series,
               (SELECT ring_sum(d) AS d, CASE WHEN count(DISTINCT sender) = count(*) THEN count(*) END AS scores
                FROM exchange_recv_all(getvariable('others'), 'lrh/open-score-' || getvariable('iteration'), columns := 'd UBIGINT[]')) o
          WHERE require(scores = len(getvariable('parties')) - 1, 'each party has to open its masked scores once'));
CALL exchange_send(getvariable('others'), 'lrh/open-residual-' || getvariable('iteration'),
    $$ SELECT ring_sub(e, t2) AS f FROM lr_residual, lr_deal $$);

-- the step, masked, to the other parties: the gradient, and for all but the intercept the pull to 0. With it goes whether
-- scores are in the range, and to the host the loss: sums over rows, with noise
CREATE OR REPLACE TEMP TABLE lr_step AS
    SELECT ring_scale(ring_add(ring_add(c2, g), ring_scale(list_prepend(0::UBIGINT, w[2:]),
               round(getvariable('rate') * getvariable('pull') * 2.0::DOUBLE ** getvariable('bits'))::BIGINT)), -1) AS v
    FROM lr_deal, lr_weights, (
        SELECT flatten(list(part ORDER BY position)) AS g FROM (
            SELECT position, ring_vecmat(t2, e) AS part
            FROM exchange_recv_all(getvariable('others'), 'lrh/open-features-' || getvariable('number') // getvariable('together'),
                                   columns := 'number BIGINT, e UBIGINT[]')
            JOIN lr_parties ON party = sender, lr_deal WHERE number = getvariable('number')
            UNION ALL
            SELECT list_position(getvariable('parties'), getvariable('me')), lr_shared_gradient(x, r.e, opened)
            FROM lr_batch, lr_residual r,
                 (SELECT ring_sum(f) AS opened, CASE WHEN count(DISTINCT sender) = count(*) THEN count(*) END AS residuals
                  FROM exchange_recv_all(getvariable('others'), 'lrh/open-residual-' || getvariable('iteration'), columns := 'f UBIGINT[]'))
            WHERE require(residuals = len(getvariable('parties')) - 1, 'each party has to open its masked residuals once')));
CALL exchange_send(getvariable('others'), 'lrh/open-update-' || getvariable('iteration'), $$
    SELECT ring_add(v, r2) AS c,
           ring_add(guard, ring_encode((SELECT list(gaussian_noise(i, 0.07 / sqrt(len(getvariable('parties')) - 1))) FROM range(ceil(getvariable('size') / 256)::BIGINT) t(i)), scale := 33)) AS guard,
           CASE WHEN getvariable('with_loss') AND NOT getvariable('leads')
                THEN ring_add(loss, ring_encode([gaussian_noise(1, getvariable('noise')::DOUBLE * sqrt(getvariable('size')) * getvariable('loss_unit'))],
                                                scale := getvariable('loss_scale'))) ELSE [] END AS loss
    FROM lr_step, lr_deal, lr_residual $$);

-- update
CREATE OR REPLACE TEMP TABLE lr_weights AS
    SELECT ring_add(w, share_truncate(ring_add(ring_add(v, r2), ring_add(o.c, positive)), s2, p2, getvariable('bits'), getvariable('leads'))) AS w,
           CASE WHEN getvariable('with_loss') AND getvariable('leads') THEN ring_add(own.loss, o.loss) ELSE [] END AS loss
    FROM lr_weights, lr_step, lr_deal, lr_residual own,
         (SELECT ring_sum(c) AS c, ring_sum(guard) AS guard, ring_sum(loss) AS loss, CASE WHEN count(DISTINCT sender) = count(*) THEN count(*) END AS steps,
                 list_resize([]::UBIGINT[], getvariable('total'), 4611686018427387904::UBIGINT) AS positive
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-update-' || getvariable('iteration'),
                                 columns := 'c UBIGINT[], guard UBIGINT[], loss UBIGINT[]')) o
    WHERE require(steps = len(getvariable('parties')) - 1, 'each party has to open its masked step once')
      AND require(list_min(ring_decode(ring_add(own.guard, o.guard), scale := 33)) > -0.6,
                  'what was dealt or opened does not fit together: a party, or the helper, has sent wrong numbers')
      AND require(list_max(ring_decode(ring_add(own.guard, o.guard), scale := 33)) < 0.6,
                  'scores leave the range ' || getvariable('score_range') || ': the training diverges, or a row is far from all others. '
                  || 'Have all parties set a smaller learning_rate, or --set range=' || 2 * getvariable('score_range')
                  || ', or take the logarithm of columns with few large numbers');
INSERT INTO lr_log
    SELECT getvariable('iteration'),
           ring_decode(loss, scale := getvariable('loss_scale'))[1] / (getvariable('size') * getvariable('share')) / getvariable('loss_unit'),
           NULL, (epoch_ms(now()) - getvariable('before').time) / 1000, exchange_bytes() - getvariable('before').bytes
    FROM lr_weights;
