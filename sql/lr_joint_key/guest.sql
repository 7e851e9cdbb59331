-- Logistic regression by two parties under a joint key, guest: has features. The peer runs
-- lr_joint_key/host and has the label. sql/lr_joint_key/README.md says what each message reveals.
--
-- set peer                 the host's name
-- set table                your table or view, one row for each record
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set columns =            your feature columns, with commas between; empty: all numeric ones but the id
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

SET VARIABLE leads = false;
-- include shared/settings.sql

-- part alignment if getvariable('id') = ''

-- include ../shared/alignment.sql
-- include ../shared/lacking.sql
SET VARIABLE settings = getvariable('settings') || getvariable('lacking_text');
-- include ../shared/id_column.sql

-- part rows

-- our feature columns
SET VARIABLE features = (
    SELECT coalesce(list(column_name), []::VARCHAR[])
    FROM feature_columns(getvariable('table'), getvariable('columns'), split_names(getvariable('id_column'))));
SELECT require(len(getvariable('features')) > 0, 'the table has no numeric column but the id');
CREATE OR REPLACE TEMP TABLE lr_all AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := getvariable('features'));

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT psi_id(id) AS name, x FROM lr_all;
-- include ../shared/none_lacking.sql

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT pid::VARCHAR AS name, x FROM "${alignment}" LEFT JOIN lr_all USING (id);
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM lr_named WHERE x IS NULL;

-- part set-up

-- what the owner of the table allows; how many rows of a batch are common is not known yet, unless there is one batch
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(getvariable('features'), 'train') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: (SELECT CASE WHEN getvariable('id') <> '' THEN count(*) // greatest(ceil(count(*) / getvariable('batch')::INTEGER), 1)::BIGINT
                                     WHEN count(*) + (SELECT count(*) FROM rows_lacking) <= getvariable('batch')::INTEGER THEN coalesce(getvariable('common_rows'), count(*)) END FROM lr_named), epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- what cannot be trained on
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*),
               'an id is missing or occurs more than once; a model needs one row for each id: take a view that has one')
FROM lr_named;
-- include ../shared/features.sql

-- All names of the alignment, with standardised features. Those that we have no record of get the features of one that
-- we have, so that the work is the same; their residuals are replaced by 0. This is done before we receive anything,
-- since its time depends on how many records we have, and the host sees when we answer. Where both lack rows, the host knows how many
-- records we have, and they are 0.
CREATE OR REPLACE TEMP TABLE lr_matrix AS SELECT row_number() OVER () AS row, name AS id, x FROM lr_named;
CREATE OR REPLACE TEMP TABLE lr_records AS FROM standardise('lr_matrix');
SET VARIABLE standardised = 'lr_records';
-- include shared/far.sql
CREATE OR REPLACE TEMP TABLE lr_names AS
    SELECT id, x, present FROM (
        SELECT id, x, true AS present FROM lr_records
        UNION ALL
        SELECT name, CASE WHEN getvariable('both_lack') THEN list_resize([]::DOUBLE[], len(x), 0.0::DOUBLE) ELSE x END, false
        FROM (SELECT name, 1 + row_number() OVER () % (SELECT count(*) FROM lr_records) AS row FROM rows_lacking)
        JOIN lr_records USING (row))
    ORDER BY id;

-- message 1: what is trained, and a hash that shows whether both have the same rows
CREATE OR REPLACE TEMP TABLE lr_start AS
    FROM exchange_recv(getvariable('peer'), 'lr/start',
                       columns := 'settings VARCHAR, seed VARCHAR, rows BIGINT, digest VARCHAR, width BIGINT');
SELECT require(count(*) = 1, 'the host has to send one start message'),
       require(bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the host has ' || left(any_value(settings), 500) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session'),
       require(bool_and(width BETWEEN 1 AND 1000000 AND length(seed) <= 100), 'the host''s start message makes no sense')
FROM lr_start;

-- the rows in the host's order
SET VARIABLE width = len(getvariable('features'));
CREATE OR REPLACE TEMP TABLE lr_rows AS
    SELECT row_number() OVER (ORDER BY sha256((SELECT seed FROM lr_start) || '/' || id)) AS row, id, x, present
    FROM lr_names;
SELECT require(count(*) = (SELECT rows FROM lr_start)
               AND sha256(string_agg(id, ',' ORDER BY row)) = (SELECT digest FROM lr_start),
               'the host trains on other rows: it has ' || (SELECT rows FROM lr_start) || ' and we have ' || count(*)
               || '. Use the alignments of one and the same matching, or tables with the same ids')
FROM lr_rows;
SET VARIABLE rows = (SELECT count(*) FROM lr_rows);
SET VARIABLE batches = ceil(getvariable('rows') / getvariable('batch')::INTEGER)::BIGINT;
SET VARIABLE peer_width = (SELECT width FROM lr_start);

-- enough rows, and only our own records count, to hide one among them
-- include shared/opened.sql

SELECT require_hidden(getvariable('accept_disclosure'), getvariable('opened') * noisy_bits(getvariable('noise')::DOUBLE),
                      coalesce(getvariable('fewest_common'), min(records)))
FROM (SELECT sum(present::BIGINT) AS records FROM lr_rows
      GROUP BY (row - 1) * getvariable('batches') // getvariable('rows'));

SET VARIABLE release = {what: 'gradients of the peer''s weights, the loss, and what else a training shows', numbers: getvariable('iterations')::BIGINT,
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql

-- message 2: how many features we have
CALL exchange_send(getvariable('peer'), 'lr/shape', $$ SELECT getvariable('width')::BIGINT AS width $$);

-- include shared/joint_key.sql

-- which rows the host has, encrypted; if it can lack none, the same for all
CREATE OR REPLACE TEMP TABLE lr_mask (row BIGINT, ct BLOB);

-- part mask if getvariable('both_lack')

INSERT INTO lr_mask FROM exchange_recv(getvariable('peer'), 'lr/mask', columns := 'row BIGINT, ct BLOB') ORDER BY row;
SELECT require(is_numbered(row, getvariable('rows')), 'the host did not encrypt once for each row whether it has it'),
       require(bool_and((l.scale, l.bound, l.count, l.doublings) = (8, 15, 1, 0)), 'what the host says of its rows does not have the agreed scale and bound')
FROM (SELECT row, he_layout(ct) AS l FROM lr_mask);

-- part weights

-- include shared/weights.sql

-- part iteration while getvariable('go_on')

-- include shared/step.sql

-- our scores on the batch
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT row, x, present, list_dot_product(x, w) AS score
    FROM lr_rows, (SELECT list(weight ORDER BY feature) AS w FROM lr_weights)
    WHERE (row - 1) * getvariable('batches') // getvariable('rows') = (getvariable('iteration') - 1) % getvariable('batches');
SET VARIABLE batch_rows = coalesce(getvariable('batch_common'), (SELECT count(*) FROM lr_batch));
-- include shared/score.sql

-- residuals: the host's
CREATE OR REPLACE TEMP TABLE lr_received AS
    FROM exchange_recv(getvariable('peer'), 'lr/residual-' || getvariable('iteration'), columns := 'row BIGINT, ct BLOB');
SELECT require((SELECT list(row ORDER BY row) FROM lr_received) = (SELECT list(row ORDER BY row) FROM lr_batch),
               'the host did not send one residual for each row of the batch'),
       require((SELECT bool_and((l.scale, l.bound, l.count, l.doublings) = (20, 32, 1, 0)) FROM (SELECT he_layout(ct) AS l FROM lr_received)),
               'the host''s residuals do not have the agreed scale and bound');

-- residuals: add ours; times 1, or 0 for rows that we have no record of, with noise
CREATE OR REPLACE TEMP TABLE lr_residuals AS
    SELECT row, lr_residual_add(r.ct, score, getvariable('joint'), present := present, noise := gaussian_noise(row, getvariable('noise')),
                                weight := m.ct) AS ct
    FROM lr_received r JOIN lr_batch USING (row) LEFT JOIN lr_mask m USING (row);
CALL exchange_send(getvariable('peer'), 'lr/intermediate-' || getvariable('iteration'),
    $$ SELECT row, ct FROM lr_residuals ORDER BY row $$);

-- loss: the host's terms where we have a record, and the terms with our scores, where it is to be computed; where both lack rows, with their squares
-- only where the host has a record, too
CREATE OR REPLACE TEMP TABLE lr_losses AS
    FROM exchange_recv(getvariable('peer'), 'lr/loss-part-' || getvariable('iteration'), columns := 'row BIGINT, ct BLOB');
SELECT require((SELECT list(row ORDER BY row) FROM lr_losses)
               IS NOT DISTINCT FROM (SELECT list(row ORDER BY row) FROM lr_batch WHERE getvariable('with_loss')),
               'the host has to send its part of the loss for each row where it is to be computed'),
       require((SELECT coalesce(bool_and((l.scale, l.bound, l.count, l.doublings) = (36, 62, 1, 0)), true)
                FROM (SELECT he_layout(ct) AS l FROM lr_losses)),
               'the host''s terms of the loss do not have the agreed scale and bound');
CALL exchange_send(getvariable('peer'), 'lr/loss-' || getvariable('iteration'), $$
    SELECT he_add_plain(he_sum(ct, getvariable('joint')), -sum(own), getvariable('joint')) AS ct FROM (
        SELECT he_add(he_dot(list(d.ct ORDER BY row), list(score ORDER BY row), getvariable('joint'), scale := 16, bound := 31),
                      he_sum(lr_residual_add(l.ct, 0, getvariable('joint'), present := present,
                                             noise := gaussian_noise(row, getvariable('noise'))), getvariable('joint')),
                      getvariable('joint')) AS ct,
               CASE WHEN getvariable('both_lack') THEN 0 ELSE coalesce(sum(score * score / 8) FILTER (present), 0) END AS own
        FROM lr_residuals d JOIN lr_losses l USING (row) JOIN lr_batch USING (row) GROUP BY row // 8192
        UNION ALL
        SELECT he_dot(list(ct ORDER BY row), list(-score * score / 8 ORDER BY row), getvariable('joint'), scale := 36, bound := 42), 0
        FROM lr_mask JOIN lr_batch USING (row) WHERE getvariable('with_loss') GROUP BY row // 8192)
    HAVING count(*) > 0 $$);

-- gradient: encrypted and masked
CREATE OR REPLACE TEMP TABLE lr_gradient AS FROM lr_encrypted_gradient('lr_residuals', 'lr_batch', getvariable('joint'));
CALL exchange_send(getvariable('via'), 'lr/gradient-' || getvariable('iteration'),
    $$ SELECT feature, ct FROM lr_gradient ORDER BY feature $$);

-- decryption: take our part off the host's masked gradient
CREATE OR REPLACE TEMP TABLE lr_theirs AS
    FROM exchange_recv(getvariable('via'), 'lr/gradient-' || getvariable('iteration'), columns := 'feature BIGINT, ct BLOB');
SELECT require(is_numbered(feature + getvariable('with_loss')::INTEGER, getvariable('peer_width') + getvariable('with_loss')::INTEGER),
               'the host asks for something else than its gradient and the loss'),
       require(bool_and(l.bound <= 110 AND l.count = 1 AND l.doublings <= 8), 'the host asks for more than a number of a gradient has')
FROM (SELECT *, he_layout(ct) AS l FROM lr_theirs);
CALL exchange_send(getvariable('via'), 'lr/partial-' || getvariable('iteration'),
    $$ SELECT feature, partial_decrypt(ct, getvariable('joint')) AS ct FROM lr_theirs ORDER BY feature $$);

-- decryption: our gradient, from which the host took its part
CREATE OR REPLACE TEMP TABLE lr_opened AS
    SELECT feature, joint_decrypt(p.ct, getvariable('joint'), mask := mask) AS total
    FROM lr_gradient
    JOIN exchange_recv(getvariable('via'), 'lr/partial-' || getvariable('iteration'), columns := 'feature BIGINT, ct BLOB') p
        USING (feature);
SELECT require((SELECT list(feature ORDER BY feature) FROM lr_opened) = (SELECT list(feature ORDER BY feature) FROM lr_gradient),
               'the host did not decrypt each number of our gradient once');

-- update
CREATE OR REPLACE TEMP TABLE lr_step AS
    SELECT feature, weight, total / getvariable('batch_rows') AS gradient
    FROM lr_weights JOIN lr_opened USING (feature);
CREATE OR REPLACE TEMP TABLE lr_weights AS
    SELECT feature, lr_update(weight, gradient, getvariable('learning_rate')::DOUBLE,
                              l2 := getvariable('l2')::DOUBLE) AS weight
    FROM lr_step;

-- whether to go on: until neither gradient is larger than the norm to stop at
SET VARIABLE gradient_norm = (SELECT sqrt(sum((gradient + getvariable('l2')::DOUBLE * weight) ** 2)) FROM lr_step);
CALL exchange_send(getvariable('peer'), 'lr/settled-' || getvariable('iteration'),
    $$ SELECT getvariable('gradient_norm') <= getvariable('stop')::DOUBLE AS settled $$);
SET VARIABLE go_on = (
    SELECT CASE WHEN count(*) = 1 THEN bool_and(go_on) END
    FROM exchange_recv(getvariable('via'), 'lr/progress-' || getvariable('iteration'), columns := 'go_on BOOLEAN'));
SELECT require(getvariable('go_on') IS NOT NULL, 'the host has to say once whether to go on'),
       require(NOT (getvariable('go_on') AND getvariable('iteration') >= getvariable('iterations')::INTEGER),
               'the host wants to go on for longer than agreed');
INSERT INTO lr_log
    SELECT getvariable('iteration'), NULL, getvariable('gradient_norm'),
           (epoch_ms(now()) - getvariable('started')) / 1000, exchange_bytes() - getvariable('bytes_before');

-- done
SELECT gradient_norm, seconds, bytes FROM lr_log WHERE iteration = getvariable('iteration');

-- part finish

-- include shared/diverged.sql

-- results: our weights, for standardised features and in the columns' own units
CREATE OR REPLACE TABLE "${result}" AS
    SELECT feature, weight, mean, deviation, weight_original, getvariable('session') AS training FROM (
        SELECT 0 AS position, '(intercept)' AS feature, 0.0::DOUBLE AS weight, NULL::DOUBLE AS mean,
               NULL::DOUBLE AS deviation,
               -(SELECT sum(w.weight * mean / deviation)
                 FROM lr_weights w JOIN lr_statistics s ON w.feature = s.feature) AS weight_original
        UNION ALL
        SELECT s.feature, name, weight, mean, deviation, weight / deviation
        FROM lr_weights w JOIN lr_statistics s ON w.feature = s.feature)
    ORDER BY position;
CREATE OR REPLACE TABLE "${log}" AS FROM lr_log ORDER BY iteration;

-- nobody needs our part of the key any more
CALL key_forget(getvariable('joint'));

-- summary
SELECT getvariable('rows') AS rows, (SELECT count(*) FROM lr_named) AS records, getvariable('width') AS features,
       count(*) AS iterations, last(gradient_norm ORDER BY iteration) AS gradient_norm, round(sum(seconds), 1) AS seconds,
       sum(bytes)::BIGINT AS bytes
FROM "${log}";
