-- Logistic regression by two parties under a joint key, host: has the label. The peer runs
-- lr_joint_key/guest. sql/lr_joint_key/README.md says what each message reveals.
--
-- set peer                 the guest's name
-- set table                your table or view, one row for each record
-- set label                its column with the label, 0 or 1
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set columns =            your feature columns, with commas between; empty: all numeric ones but id and label
-- set iterations = 20      how many steps, the same at both parties, as are the following
-- set batch = 10000        how many rows at most in a step
-- set learning_rate = 0.15  the length of a step
-- set l2 = 0               how strongly weights are drawn to 0
-- set stop = 0             stop when the norm of neither party's gradient is above this; 0: never
-- set loss_every = 5       compute the loss in every so many steps, and in the last one; 0: never
-- set start = random       our first weights: random, small ones that hide our rows in the first step, or zero
-- set noise = 0.5          deviation of the noise on each residual, so that gradients tell less of single rows
-- set accept_disclosure = no  yes: train although the gradients may tell the parties each other's rows
-- set modulus = rsa-2048   modulus of the joint key: rsa-2048, or assistant for one that the assistant makes
-- set assistant =          a third party that passes the masked gradients on; empty: none
-- set result = model       the name of the table with the weights, in your current schema
-- set log = training_log   the name of the table with what each step did
--
-- next The weights of your features are in ${result}; duckpriv report draws the training. To score rows, one party asks with
-- next lr_joint_key/predict and the other runs lr_joint_key/predict_peer, in a new session.

SET VARIABLE leads = true;
-- include shared/settings.sql

-- part alignment if getvariable('id') = ''

-- include shared/alignment.sql
-- include ../shared/lacking.sql
SET VARIABLE settings = getvariable('settings') || getvariable('lacking_text');
-- include ../shared/id_column.sql

-- part rows

-- our feature columns
SET VARIABLE label_column = plain_name(getvariable('label'));
SET VARIABLE features = (
    SELECT coalesce(list(column_name), []::VARCHAR[])
    FROM feature_columns(getvariable('table'), getvariable('columns'), list_append(split_names(getvariable('id_column')), getvariable('label_column'))));
CREATE OR REPLACE TEMP TABLE lr_all AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := list_append(getvariable('features'), getvariable('label_column')));

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT psi_id(id) AS name, x[:-2] AS x, x[-1] AS y FROM lr_all;
-- include ../shared/none_lacking.sql

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_named AS
    SELECT pid::VARCHAR AS name, x[:-2] AS x, x[-1] AS y FROM "${alignment}" LEFT JOIN lr_all USING (id);
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM lr_named WHERE x IS NULL;

-- part set-up

-- what the owner of the table allows; after psi only the guest knows how many rows of a batch are common, and where both lack rows nobody does, unless
-- there is one batch
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(list_append(getvariable('features'), getvariable('label_column')), 'train')
                             || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: (SELECT CASE WHEN getvariable('id') <> '' THEN count(*) // greatest(ceil(count(*) / getvariable('batch')::INTEGER), 1)::BIGINT
                                     WHEN count(*) + (SELECT count(*) FROM rows_lacking) <= getvariable('batch')::INTEGER THEN getvariable('common_rows') END FROM lr_named), epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- what cannot be trained on
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*),
               'an id is missing or occurs more than once; a model needs one row for each id: take a view that has one'),
       require(count(*) FILTER (y IN (0, 1)) = count(*), 'the label has to be 0 or 1 in every row')
FROM lr_named;
-- include ../shared/features.sql

-- The rows in an order that both parties find, and that says nothing: sorted by a hash of seed and id. Those that we lack are 0.
SET VARIABLE seed = (SELECT random_id(1)::VARCHAR);
CREATE OR REPLACE TEMP TABLE lr_ordered AS
    SELECT row_number() OVER (ORDER BY sha256(getvariable('seed') || '/' || name)) AS row, name
    FROM (SELECT name FROM lr_named UNION ALL FROM rows_lacking);
CREATE OR REPLACE TEMP TABLE lr_matrix AS SELECT row, name AS id, x FROM lr_named JOIN lr_ordered USING (name);
CREATE OR REPLACE TEMP TABLE lr_rows AS
    SELECT m.row, [1.0::DOUBLE] || m.x AS x, y, 1 AS present FROM standardise('lr_matrix') m JOIN lr_named ON name = m.id
    UNION ALL
    SELECT row, list_resize([]::DOUBLE[], len(getvariable('features')) + 1, 0.0::DOUBLE), 0, 0 FROM lr_ordered JOIN rows_lacking USING (name);
SET VARIABLE standardised = 'lr_rows';
-- include shared/far.sql
SET VARIABLE rows = (SELECT count(*) FROM lr_rows);
SET VARIABLE batches = ceil(getvariable('rows') / getvariable('batch')::INTEGER)::BIGINT;
SET VARIABLE width = len(getvariable('features')) + 1;

SET VARIABLE release = {what: 'gradients of the peer''s weights, and what else a training shows', numbers: getvariable('iterations')::BIGINT,
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql

-- message 1: what is trained; a hash that shows whether both have the same rows
CALL exchange_send(getvariable('peer'), 'lr/start', $$
    SELECT getvariable('settings') AS settings, getvariable('seed') AS seed, getvariable('rows') AS rows,
           sha256(string_agg(name, ',' ORDER BY row)) AS digest, getvariable('width')::BIGINT AS width
    FROM lr_ordered $$);

-- message 2: how many features the guest has
SET VARIABLE peer_width = (SELECT CASE WHEN count(*) = 1 THEN any_value(width) END
    FROM exchange_recv(getvariable('peer'), 'lr/shape', columns := 'width BIGINT'));
-- include shared/opened.sql

SELECT require(getvariable('peer_width') BETWEEN 1 AND 1000000, 'the guest did not say how many features it has'),
       require_hidden(getvariable('accept_disclosure'), getvariable('opened') * noisy_bits(getvariable('noise')::DOUBLE),
                      coalesce(getvariable('fewest_common'), getvariable('rows') // getvariable('batches')));

-- include shared/joint_key.sql

-- part mask if getvariable('both_lack')

-- Which rows we have, encrypted, with noise that stays the same: so that a guest that has these decrypted, or takes its score a thousand times,
-- learns no more of a row than from a residual.
CALL exchange_send(getvariable('peer'), 'lr/mask', $$
    SELECT row, joint_encrypt(present + gaussian_noise(row, getvariable('noise')), getvariable('joint'), scale := 8, bound := 15) AS ct FROM lr_rows ORDER BY row $$);

-- part weights

-- include shared/weights.sql

-- part iteration while getvariable('go_on')

-- include shared/step.sql

-- our scores on the batch
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT row, x, y, present, list_dot_product(x, w) AS score
    FROM lr_rows, (SELECT list(weight ORDER BY feature) AS w FROM lr_weights)
    WHERE (row - 1) * getvariable('batches') // getvariable('rows') = (getvariable('iteration') - 1) % getvariable('batches');
SET VARIABLE batch_rows = coalesce(getvariable('batch_common'), (SELECT count(*) FROM lr_batch));
-- include shared/score.sql

-- residuals: encrypt ours
CALL exchange_send(getvariable('peer'), 'lr/residual-' || getvariable('iteration'), $$
    SELECT row, joint_encrypt(present * lr_residual(score, y) + gaussian_noise(row, getvariable('noise')), getvariable('joint'),
                              scale := 20, bound := 32) AS ct
    FROM lr_batch ORDER BY row $$);

-- loss: encrypt ours, if it is to be computed in this step
CALL exchange_send(getvariable('peer'), 'lr/loss-part-' || getvariable('iteration'), $$
    SELECT row, joint_encrypt(present * lr_loss(score, y), getvariable('joint'), scale := 36, bound := 62) AS ct
    FROM lr_batch WHERE getvariable('with_loss') ORDER BY row $$);

-- residuals: the guest has added its own
CREATE OR REPLACE TEMP TABLE lr_residuals AS
    FROM exchange_recv(getvariable('peer'), 'lr/intermediate-' || getvariable('iteration'), columns := 'row BIGINT, ct BLOB');
SELECT require((SELECT list(row ORDER BY row) FROM lr_residuals) = (SELECT list(row ORDER BY row) FROM lr_batch),
               'the guest did not answer with one residual for each row of the batch'),
       require((SELECT bool_and((l.scale, l.bound, l.count, l.doublings) = (28, 49, 1, 1)) FROM (SELECT he_layout(ct) AS l FROM lr_residuals)),
               'the guest''s residuals do not have the agreed scale and bound');

-- gradient: encrypted and masked; feature 0 is the loss
CREATE OR REPLACE TEMP TABLE lr_gradient AS FROM lr_encrypted_gradient('lr_residuals', 'lr_batch', getvariable('joint'));
CREATE OR REPLACE TEMP TABLE lr_masked_loss AS
    SELECT joint_mask(ct, getvariable('joint')) AS m
    FROM exchange_recv(getvariable('peer'), 'lr/loss-' || getvariable('iteration'), columns := 'ct BLOB');
SELECT require(count(*) = getvariable('with_loss')::INTEGER AND coalesce(bool_and(he_layout(m.ct).scale = 44), true),
               'the guest has to send the loss where it is asked for')
FROM lr_masked_loss;
INSERT INTO lr_gradient SELECT 0, m.ct, m.mask FROM lr_masked_loss;
CALL exchange_send(getvariable('via'), 'lr/gradient-' || getvariable('iteration'),
    $$ SELECT feature, ct FROM lr_gradient ORDER BY feature $$);

-- decryption: take our part off the guest's masked gradient
CREATE OR REPLACE TEMP TABLE lr_theirs AS
    FROM exchange_recv(getvariable('via'), 'lr/gradient-' || getvariable('iteration'), columns := 'feature BIGINT, ct BLOB');
SELECT require(is_numbered(feature, getvariable('peer_width')),
               'the guest asks for something else than its gradient'),
       require(bool_and(l.bound <= 110 AND l.count = 1 AND l.doublings <= 8), 'the guest asks for more than a number of a gradient has')
FROM (SELECT *, he_layout(ct) AS l FROM lr_theirs);
CALL exchange_send(getvariable('via'), 'lr/partial-' || getvariable('iteration'),
    $$ SELECT feature, partial_decrypt(ct, getvariable('joint')) AS ct FROM lr_theirs ORDER BY feature $$);

-- decryption: our gradient, from which the guest took its part
CREATE OR REPLACE TEMP TABLE lr_opened AS
    SELECT feature, joint_decrypt(p.ct, getvariable('joint'), mask := mask) AS total
    FROM lr_gradient
    JOIN exchange_recv(getvariable('via'), 'lr/partial-' || getvariable('iteration'), columns := 'feature BIGINT, ct BLOB') p
        USING (feature);
SELECT require((SELECT list(feature ORDER BY feature) FROM lr_opened) = (SELECT list(feature ORDER BY feature) FROM lr_gradient),
               'the guest did not decrypt each number of our gradient once');

-- update
CREATE OR REPLACE TEMP TABLE lr_step AS
    SELECT feature, weight, total / getvariable('batch_rows') AS gradient,
           CASE WHEN feature = 1 THEN 0 ELSE getvariable('l2')::DOUBLE END AS l2
    FROM lr_weights JOIN lr_opened USING (feature);
CREATE OR REPLACE TEMP TABLE lr_weights AS
    SELECT feature, lr_update(weight, gradient, getvariable('learning_rate')::DOUBLE, l2 := l2) AS weight FROM lr_step;

-- whether to go on: until neither gradient is larger than the norm to stop at
SET VARIABLE gradient_norm = (SELECT sqrt(sum((gradient + l2 * weight) ** 2)) FROM lr_step);
SET VARIABLE settled = (
    SELECT CASE WHEN count(*) = 1 THEN bool_and(settled) END
    FROM exchange_recv(getvariable('peer'), 'lr/settled-' || getvariable('iteration'), columns := 'settled BOOLEAN'));
SELECT require(getvariable('settled') IS NOT NULL, 'the guest has to say once whether it is settled');
SET VARIABLE go_on = getvariable('iteration') < getvariable('iterations')::INTEGER
    AND NOT (getvariable('settled') AND getvariable('stop')::DOUBLE > 0
             AND getvariable('gradient_norm') <= getvariable('stop')::DOUBLE);
CALL exchange_send(getvariable('via'), 'lr/progress-' || getvariable('iteration'),
    $$ SELECT getvariable('go_on') AS go_on $$);
INSERT INTO lr_log
    SELECT getvariable('iteration'),
           CASE WHEN getvariable('with_loss') THEN ln(2) + (SELECT total FROM lr_opened WHERE feature = 0) / getvariable('batch_rows') END,
           getvariable('gradient_norm'), (epoch_ms(now()) - getvariable('started')) / 1000,
           exchange_bytes() - getvariable('bytes_before');

-- done
SELECT loss, gradient_norm, seconds, bytes FROM lr_log WHERE iteration = getvariable('iteration');

-- part finish

-- include shared/diverged.sql

-- results: our weights, for standardised features and in the columns' own units
CREATE OR REPLACE TABLE "${result}" AS
    SELECT feature, weight, mean, deviation, weight_original, getvariable('session') AS training FROM (
        SELECT 0 AS position, '(intercept)' AS feature, weight, NULL::DOUBLE AS mean, NULL::DOUBLE AS deviation,
               weight - (SELECT coalesce(sum(w.weight * mean / deviation), 0)
                         FROM lr_weights w JOIN lr_statistics s ON w.feature = s.feature + 1) AS weight_original
        FROM lr_weights WHERE feature = 1
        UNION ALL
        SELECT s.feature, name, weight, mean, deviation, weight / deviation
        FROM lr_weights w JOIN lr_statistics s ON w.feature = s.feature + 1)
    ORDER BY position;
CREATE OR REPLACE TABLE "${log}" AS FROM lr_log ORDER BY iteration;

-- nobody needs our part of the key any more
CALL key_forget(getvariable('joint'));

-- summary
SELECT getvariable('rows') AS rows, getvariable('width') - 1 AS features, getvariable('peer_width') AS guest_features,
       count(*) AS iterations, last(gradient_norm ORDER BY iteration) AS gradient_norm, round(sum(seconds), 1) AS seconds,
       sum(bytes)::BIGINT AS bytes
FROM "${log}";
