-- Prediction with a model of lr_joint_key: this party helps, and does not see the scores. The peer
-- runs lr_joint_key/predict. sql/lr_joint_key/README.md says what each message reveals.
--
-- set peer                 the party that asks
-- set table                your table or view with your features of the rows
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set model = model        the name of the table with the weights, as the training left it
-- set unmatched = refuse   rows asked for that we have no record of: refuse, or mean to answer with our mean, by
--                          which the peer can tell them
-- set modulus = rsa-2048   modulus of the joint key: rsa-2048, or the name of one that you imported, as the peer
--
-- next Nothing is left to do here: the other party has the scores.

-- settings: the model has to be of the same training as the peer's
SET VARIABLE duckpriv_protocol = 'lr_joint_key/predict/1';
SELECT require(getvariable('unmatched') IN ('refuse', 'mean'), 'unmatched is refuse or mean');
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

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE predict_named AS SELECT psi_id(id) AS name, part FROM predict_all;

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE predict_named AS SELECT pid::VARCHAR AS name, part FROM "${alignment}" JOIN predict_all USING (id);

-- part answer

-- include shared/predict_key.sql

-- the rows that are asked for; the training's mean stands for features that we do not have
CREATE OR REPLACE TEMP TABLE predict_asked AS
    FROM exchange_recv(getvariable('peer'), 'predict/rows', columns := 'row BIGINT, name VARCHAR, wanted BLOB');
SELECT require(count(*) > 0 AND is_numbered(row, count(*)) AND count(DISTINCT name) = count(*),
               'the peer''s rows are not numbered one by one, or a row is asked for twice'),
       require(bool_and((l.scale, l.bound, l.count, l.doublings) = (0, 1, 1, 0)),
               'the peer has to send an encrypted 0 or 1 for each row')
FROM (SELECT *, he_layout(wanted) AS l FROM predict_asked);
CREATE OR REPLACE TEMP TABLE predict_answers AS
    SELECT row, wanted, coalesce(part, (SELECT sum(weight) FROM "${model}" WHERE mean IS NULL)) AS part, part IS NOT NULL AS known
    FROM predict_asked LEFT JOIN predict_named USING (name);
SELECT require(getvariable('unmatched') = 'mean' OR bool_and(known),
               'the peer asks for ' || count(*) FILTER (NOT known) || ' rows that we have no record of. An answer would '
               || 'tell it which. To answer with the mean: both in a new session, here with --set unmatched=mean')
FROM predict_answers;

-- our part of each score where it is wanted, in blocks of 31 rows
CREATE OR REPLACE TEMP TABLE predict_packed AS
    SELECT (row - 1) // 31 AS block, he_pack(list(ct ORDER BY row), getvariable('joint'), slot_bits := 64) AS ct
    FROM (SELECT row, he_mul(wanted, part, getvariable('joint'), scale := 24, bound := 40) AS ct FROM predict_answers)
    GROUP BY block;

-- added to the peer's masked parts, without our part of the key
CREATE OR REPLACE TEMP TABLE predict_parts AS
    FROM exchange_recv(getvariable('peer'), 'predict/parts', columns := 'block BIGINT, ct BLOB');
SELECT require((SELECT list(block ORDER BY block) FROM predict_parts) = (SELECT list(block ORDER BY block) FROM predict_packed),
               'the peer''s blocks are not those of its rows');
SET VARIABLE release = {what: 'scores', numbers: (SELECT count(*) FROM predict_answers),
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql
CALL exchange_send(getvariable('peer'), 'predict/answer', $$
    SELECT block, partial_decrypt(he_add(a.ct, b.ct, getvariable('joint')), getvariable('joint')) AS ct
    FROM predict_packed a JOIN predict_parts b USING (block) ORDER BY block $$);

-- nobody needs our part of the key any more
CALL key_forget(getvariable('joint'));

-- summary
SELECT count(*) AS rows FROM predict_answers;
