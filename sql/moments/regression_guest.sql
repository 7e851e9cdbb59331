-- Linear, ridge or logistic regression (Taylor form) from joint moments, exactly: guest. The peer runs
-- moments/regression_host. sql/moments/README.md says what each message reveals.
--
-- set peer                 the host's name
-- set moments = moments    the name of the moments, as moments/host and moments/guest had it as result
-- set kind =               linear or logistic; empty: logistic for a label of 0 and 1, else linear
-- set l2 = 0               how strongly weights are drawn to 0, the same at both, as are the following
-- set reveal = own         who sees the weights: own (each party those of its columns), host, guest, both, or none
-- set steps =              how often the matrix is squared; empty: 25, or fewer as l2 allows
-- set accept_disclosure = no  yes: train although the weights may tell the parties each other's rows
-- set bits = 3072          size of our Paillier key
-- set result = model       the name of the table with the weights, in your current schema
-- set log = training_log   the name of the table with what each step did
--
-- next The weights that you may see are in ${result}. To score rows, one party asks with lr_joint_key/predict and the other runs
-- next lr_joint_key/predict_peer; with reveal=none it is moments/predict and moments/predict_peer.

SET VARIABLE leads = false;
-- include regression/settings.sql

-- our parts, encrypted, to the host; back come shares of what is missing of squares
SET VARIABLE key = 'regression-' || getvariable('session') || '-' || getvariable('me');
CALL paillier_keygen(getvariable('key'), bits := getvariable('bits'));
CALL exchange_send(getvariable('peer'), 'regression/key', $$ SELECT paillier_public_key(getvariable('key')) AS key $$);
CALL exchange_send(getvariable('peer'), 'regression/masks', $$
    SELECT step, square_encrypt(masks, getvariable('key')) AS cts FROM regression_masks ORDER BY step $$);
CREATE OR REPLACE TEMP TABLE regression_products AS
    FROM exchange_recv(getvariable('peer'), 'regression/products', columns := 'step BIGINT, cts BLOB[]');
SELECT require(bool_and(he_layout(ct).masked), 'the host''s answers are not masked') FROM (SELECT unnest(cts) AS ct FROM regression_products);
CREATE OR REPLACE TEMP TABLE regression_squares AS
    SELECT step, masks, square_shares(masks, paillier_decrypt_share_wide(cts, getvariable('key'))) AS squares
    FROM regression_products JOIN regression_masks USING (step);
SELECT require(is_numbered(step, getvariable('steps')), 'the host did not answer for each step once') FROM regression_squares;

-- include regression/begin.sql

-- part steps while getvariable('step') < getvariable('steps') - 2

-- include regression/step.sql

-- part left

-- What is left of the matrix: the columns determine the weights only if that is nothing. With l2 we know how many steps it takes.
SET VARIABLE needed = (
    SELECT CASE WHEN getvariable('l2')::DOUBLE = 0 THEN 0
                ELSE 2 + ceil(log2(ln(100 * getvariable('size')) * getvariable('trace') / getvariable('smallest') * any_value(rows) / any_value(common)))::INTEGER END
    FROM used_columns);
SELECT require(count(*) = 1 AND bool_and(abs(share_reveal(share_mul_public(own.share, 70368744177664), share_mul_public(theirs.share, 70368744177664),
                                                          scale := 53)) < 0.02),
               CASE WHEN getvariable('steps') < getvariable('needed') THEN 'only ' || (SELECT any_value(common) FROM used_columns) || ' of ' || CASE WHEN getvariable('both_lack') THEN 'all ' ELSE 'the host''s ' END
                        || (SELECT any_value(rows) FROM used_columns) || ' rows are common; it takes steps=' || getvariable('needed') || ' at both parties'
                    ELSE 'columns determine each other, or nearly so, and so no weights; leave one of them out, or have both parties set l2, or a larger one, or steps=32 where they only nearly do' END)
FROM (SELECT square_trace(state, getvariable('leads')) AS share FROM regression_state) own,
     exchange_recv(getvariable('peer'), 'regression/left', columns := 'share UBIGINT') theirs;

-- part last-steps while getvariable('step') < getvariable('steps')

-- include regression/step.sql

-- part weights

-- include regression/weights.sql

-- part reveal if getvariable('reveal') <> 'none'

-- include regression/reveal.sql

-- part unit if getvariable('reveal') IN ('own', 'guest', 'both')

SET VARIABLE label = (SELECT CASE WHEN count(*) = 1 THEN {'position': 0, 'mean': any_value(mean), 'unit': any_value(unit), 'zero_one': false} END
                      FROM exchange_recv(getvariable('peer'), 'regression/unit', columns := 'unit DOUBLE, mean DOUBLE'));
SELECT require(coalesce(isfinite(getvariable('label').unit) AND getvariable('label').unit > 0 AND isfinite(getvariable('label').mean), false),
               'the host''s unit of the label makes no sense');

-- part model if (SELECT count(*) > 0 FROM regression_features WHERE seen_by IN (getvariable('me'), 'both'))

-- include regression/model.sql

-- part no-model if NOT (SELECT count(*) > 0 FROM regression_features WHERE seen_by IN (getvariable('me'), 'both'))

-- include regression/no_model.sql

-- part end

CALL key_forget(getvariable('key'));

-- include regression/summary.sql
