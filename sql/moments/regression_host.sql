-- Linear, ridge or logistic regression (Taylor form) from joint moments, exactly: host. The peer runs
-- moments/regression_guest. sql/moments/README.md says what each message reveals.
--
-- set peer                 the guest's name
-- set moments = moments    the name of the moments, as moments/host and moments/guest had it as result
-- set kind =               linear or logistic; empty: logistic for a label of 0 and 1, else linear
-- set l2 = 0               how strongly weights are drawn to 0, the same at both, as are the following
-- set reveal = own         who sees the weights: own (each party those of its columns), host, guest, both, or none
-- set steps =              how often the matrix is squared; empty: 25, or fewer as l2 allows
-- set accept_disclosure = no  yes: train although the weights may tell the parties each other's rows
-- set result = model       the name of the table with the weights, in your current schema
-- set log = training_log   the name of the table with what each step did
--
-- next The weights that you may see are in ${result}. To score rows, one party asks with lr_joint_key/predict and the other runs
-- next lr_joint_key/predict_peer; with reveal=none it is moments/predict and moments/predict_peer.

SET VARIABLE leads = true;
-- include regression/settings.sql

-- The guest's parts, encrypted, times ours, masked: shares of what is missing of squares.
SET VARIABLE peer_key = 'regression-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT key_import(getvariable('peer_key'), key, 'paillier') AS peer_key
FROM exchange_recv(getvariable('peer'), 'regression/key', columns := 'key BLOB');
CREATE OR REPLACE TEMP TABLE regression_split AS
    SELECT step, square_split(cts, masks, getvariable('peer_key')) AS s
    FROM exchange_recv(getvariable('peer'), 'regression/masks', columns := 'step BIGINT, cts BLOB[]')
    JOIN regression_masks USING (step);
SELECT require(is_numbered(step, getvariable('steps')), 'the guest did not send masks for each step once') FROM regression_split;
CALL exchange_send(getvariable('peer'), 'regression/products', $$ SELECT step, s.send AS cts FROM regression_split ORDER BY step $$);
CREATE OR REPLACE TEMP TABLE regression_squares AS
    SELECT step, masks, square_shares(masks, s.keep) AS squares FROM regression_masks JOIN regression_split USING (step);
DROP TABLE regression_split;

-- include regression/begin.sql

-- part steps while getvariable('step') < getvariable('steps') - 2

-- include regression/step.sql

-- part left

-- What is left of the matrix, for the guest: that tells how many rows are common, which it knows; we know it only where both lack rows.
CALL exchange_send(getvariable('peer'), 'regression/left', $$ SELECT (square_trace(state, getvariable('leads')) % 262144)::UBIGINT AS share FROM regression_state $$);

-- part last-steps while getvariable('step') < getvariable('steps')

-- include regression/step.sql

-- part weights

-- include regression/weights.sql

-- part reveal if getvariable('reveal') <> 'none'

-- include regression/reveal.sql

-- part unit if getvariable('reveal') IN ('own', 'guest', 'both')

-- in which unit the guest's weights are
CALL exchange_send(getvariable('peer'), 'regression/unit', $$
    SELECT getvariable('label').unit AS unit, CASE WHEN getvariable('reveal') = 'own' THEN 0 ELSE getvariable('label').mean END AS mean $$);

-- part model if (SELECT count(*) > 0 FROM regression_features WHERE seen_by IN (getvariable('me'), 'both'))

-- include regression/model.sql

-- part no-model if NOT (SELECT count(*) > 0 FROM regression_features WHERE seen_by IN (getvariable('me'), 'both'))

-- include regression/no_model.sql

-- part end

CALL key_forget(getvariable('peer_key'));

-- include regression/summary.sql
