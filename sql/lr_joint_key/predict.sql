-- Prediction with a model of lr_joint_key or moments/regression: this party asks and gets the scores. The peer runs
-- lr_joint_key/predict_peer. sql/lr_joint_key/README.md says what each message reveals.
--
-- set peer                 the other party of the training
-- set table                your table or view with the rows to score
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set model = model        the name of the table with the weights, as the training left it
-- set result = predictions  the name of the table with the scores, in your current schema
-- set modulus = rsa-2048   modulus of the joint key: rsa-2048, or the name of one that you imported, as the peer
--
-- next The scores are in ${result}. With the labels beside them, auc() and ks() tell how good they are, and duckpriv report draws it.

-- settings: the model has to be of the same training as the peer's
SET VARIABLE duckpriv_protocol = 'lr_joint_key/predict/1';
SELECT require_result(getvariable('result'), ['id', 'pid', 'score']);
-- include shared/model.sql

-- part alignment if getvariable('id') = ''

-- include shared/alignment.sql
-- include ../shared/id_column.sql

-- part rows

-- what the owner of the table allows; a score is of a single row
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(getvariable('features'), 'score') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- include shared/matrix.sql
-- include ../shared/scored.sql
-- include shared/parts.sql
SELECT require(count(*) > 0, 'there are no rows') FROM predict_all;

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE predict_named AS
    SELECT psi_id(id) AS name, id, NULL::UUID AS pid, part, true AS present FROM predict_all;
CREATE OR REPLACE TEMP TABLE predict_absent (name VARCHAR);

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE predict_named AS
    SELECT pid::VARCHAR AS name, id, pid, coalesce(part, 0) AS part, part IS NOT NULL AS present
    FROM "${alignment}" LEFT JOIN predict_all USING (id);

-- All rows of the alignment are asked for, so that nothing is told by what we ask for. For rows that are not in the
-- table, and those that private matching left without a record of ours, only an encrypted 0 comes back.
CREATE OR REPLACE TEMP TABLE predict_absent (name VARCHAR);
SET VARIABLE absent_query = (
    CASE WHEN has_table(getvariable('alignment') || '_unmatched') THEN 'SELECT pid::VARCHAR AS name FROM "${alignment}_unmatched"'
         ELSE 'SELECT NULL::VARCHAR AS name WHERE false' END);
INSERT INTO predict_absent FROM query(getvariable('absent_query'));

-- part ask

-- all rows, in the order of their hash
CREATE OR REPLACE TEMP TABLE predict_rows AS
    SELECT row_number() OVER (ORDER BY sha256(getvariable('session') || '/' || name)) AS row, *
    FROM (SELECT name, part, present FROM predict_named UNION ALL SELECT name, 0, false FROM predict_absent);

-- include shared/predict_key.sql

SET VARIABLE release = {what: 'which rows are scored', numbers: (SELECT count(*) FROM predict_rows),
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql

-- the rows that we ask about, each with an encrypted 1 if we want it and an encrypted 0 if not
CALL exchange_send(getvariable('peer'), 'predict/rows', $$
    SELECT row, name, joint_encrypt(present::INTEGER, getvariable('joint'), scale := 0, bound := 1) AS wanted
    FROM predict_rows ORDER BY row $$);

-- our parts of the scores, encrypted in blocks of 31 rows, and masked
CREATE OR REPLACE TEMP TABLE predict_blocks AS
    SELECT block, joint_mask(joint_encrypt_list(parts, getvariable('joint'), scale := 24, bound := 40, slot_bits := 64),
                             getvariable('joint')) AS m
    FROM (SELECT (row - 1) // 31 AS block, list(part ORDER BY row) AS parts FROM predict_rows GROUP BY block);
CALL exchange_send(getvariable('peer'), 'predict/parts', $$ SELECT block, m.ct AS ct FROM predict_blocks ORDER BY block $$);

-- the sums, from which the peer took its part of the key
CREATE OR REPLACE TEMP TABLE predict_sums AS
    SELECT block, joint_decrypt_list(a.ct, getvariable('joint'), mask := m.mask) AS sums
    FROM predict_blocks
    JOIN exchange_recv(getvariable('peer'), 'predict/answer', columns := 'block BIGINT, ct BLOB') a USING (block);
SELECT require((SELECT list(block ORDER BY block) FROM predict_sums) = (SELECT list(block ORDER BY block) FROM predict_blocks),
               'the peer did not answer each block once');

-- results: the probability of each row; of a linear regression the number
CREATE OR REPLACE TABLE "${result}" AS
    SELECT id, pid, CASE WHEN ends_with((SELECT any_value(training) FROM "${model}"), ' linear') THEN z ELSE lr_predict(z) END AS score
    FROM (SELECT *, sums[(row - 1) % 31 + 1] AS z FROM predict_rows JOIN predict_sums ON block = (row - 1) // 31) r JOIN predict_named USING (name)
    WHERE r.present ORDER BY id;

-- nobody needs our part of the key any more
CALL key_forget(getvariable('joint'));

-- summary
SELECT count(*) AS rows, avg(score) AS mean_score FROM "${result}";
