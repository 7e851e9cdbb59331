-- Prediction with a model of moments/regression whose weights stayed shared (reveal=none): this party asks and gets the scores. The peer
-- runs moments/predict_peer. sql/moments/README.md says what each message reveals.
--
-- set peer                 the other party of the training
-- set table                your table or view with the rows to score
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set model = model        the name of the model, as the training left it
-- set result = predictions  the name of the table with the scores, in your current schema
-- set bits = 3072          size of the Paillier keys, the same at both
-- set sigma = 64           a share is wrong with probability 2^-sigma, 40 at least, the same at both
--
-- next The scores are in ${result}. With the labels beside them, auc() and ks() tell how good they are, and duckpriv report draws it.

SELECT require_result(getvariable('result'), ['id', 'pid', 'score']);
-- include predict/model.sql

-- part alignment if getvariable('id') = ''

-- include ../lr_joint_key/shared/alignment.sql
-- include ../shared/id_column.sql

-- part rows

-- what the owner of the table allows; a score is of a single row
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(getvariable('features'), 'score') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- include ../lr_joint_key/shared/matrix.sql
-- include ../shared/scored.sql
-- include predict/rows.sql
SELECT require(count(*) > 0, 'there are no rows') FROM predict_all;

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE predict_named AS
    SELECT psi_id(id) AS name, id, NULL::UUID AS pid, x FROM predict_all;
CREATE OR REPLACE TEMP TABLE predict_absent (name VARCHAR);

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE predict_named AS
    SELECT pid::VARCHAR AS name, id, pid, x FROM "${alignment}" JOIN predict_all USING (id);

-- All rows of the alignment are asked for, so that nothing is told by what we ask for. For rows that are not in the
-- table, and those that private matching left without a record of ours, only a uniform number comes back.
CREATE OR REPLACE TEMP TABLE predict_absent AS SELECT pid::VARCHAR AS name FROM "${alignment}" ANTI JOIN predict_all USING (id);
SET VARIABLE absent_query = (
    CASE WHEN has_table(getvariable('alignment') || '_unmatched') THEN 'SELECT pid::VARCHAR AS name FROM "${alignment}_unmatched"'
         ELSE 'SELECT NULL::VARCHAR AS name WHERE false' END);
INSERT INTO predict_absent FROM query(getvariable('absent_query'));

-- part ask

-- All rows, in the order of their hash, each with an encrypted 0 if we want it, in the row's slot, and 2^20 if not. Rows that we do not want have the
-- numbers of others, so that the time of the product does not tell how many there are.
SELECT require(count(*) > 0, 'none of the alignment''s rows is in the table') FROM predict_named;
CREATE OR REPLACE TEMP TABLE predict_rows AS
    SELECT row_number() OVER (ORDER BY sha256(getvariable('session') || '/' || name)) AS row, name, present, x
    FROM (SELECT name, true AS present, x FROM predict_named
          UNION ALL
          SELECT a.name, false, n.x
          FROM (SELECT name, row_number() OVER (ORDER BY name) AS i FROM predict_absent) a
          JOIN (SELECT row_number() OVER (ORDER BY name) AS i, count(*) OVER () AS many, x FROM predict_named) n ON n.i = (a.i - 1) % n.many + 1);
-- include predict/keys.sql
CREATE OR REPLACE TEMP TABLE predict_hidden AS
    SELECT row, name, paillier_encrypt_list(
               list_transform(range(getvariable('slots')), lambda i: CASE WHEN i = (row - 1) % getvariable('slots') AND NOT present THEN 1.0::DOUBLE ELSE 0 END),
               getvariable('key'), scale := 20, bound := 21, slot_bits := getvariable('slot_bits')) AS hidden
    FROM predict_rows;

-- include predict/start.sql
SET VARIABLE release = {what: 'which rows are scored', numbers: (SELECT count(*) FROM predict_rows),
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql
CALL exchange_send(getvariable('peer'), 'predict/rows', $$ SELECT row, name, hidden FROM predict_hidden ORDER BY row $$);

-- our numbers times the peer's shares, masked
-- include predict/product.sql
CREATE OR REPLACE TEMP TABLE predict_masked AS
    SELECT block, he_share_split_wide(ct, getvariable('peer_key'), sigma := getvariable('sigma')::INTEGER) AS s FROM predict_product;
CALL exchange_send(getvariable('peer'), 'predict/masked', $$ SELECT block, s.send AS ct FROM predict_masked ORDER BY block $$);

-- the label's unit, and what is missing of each score
SET VARIABLE peer_unit = (SELECT CASE WHEN count(*) = 1 THEN any_value(unit) END
                          FROM exchange_recv(getvariable('peer'), 'predict/unit', columns := 'unit DOUBLE'));
SELECT require(coalesce(isfinite(getvariable('peer_unit')) AND getvariable('peer_unit') > 0, false), 'the peer''s unit of the label makes no sense');
CREATE OR REPLACE TEMP TABLE predict_answer AS
    FROM exchange_recv(getvariable('peer'), 'predict/answer', columns := 'block BIGINT, ct BLOB, shares UBIGINT[]');
SELECT require(is_numbered(block, (SELECT count(*) FROM predict_blocks)), 'the peer did not answer each block once'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (20, getvariable('slot_bits'), getvariable('slots'))),
               'the peer''s answers do not have the agreed scale and slots')
FROM (SELECT block, he_layout(ct) AS l FROM predict_answer);
SELECT require(bool_and(len(shares) = rows), 'the peer did not send a share for each row')
FROM predict_answer JOIN (SELECT (row - 1) // getvariable('slots') + 1 AS block, count(*) AS rows FROM predict_rows GROUP BY block) USING (block);

-- results: of a logistic regression the probability of each row, of a linear one the number. What comes after 20 bits behind the point is random.
CREATE OR REPLACE TEMP TABLE predict_scores AS
    SELECT block, ring_decode(ring_add(shares, ring_add(ring_add(theirs, parts), kept)[:len(shares)]), scale := 40) AS scores
    FROM (SELECT block, shares, paillier_decrypt_share(ct, getvariable('key')) AS theirs FROM predict_answer)
    JOIN (SELECT block, list_transform(wide_decode(s.keep), lambda r: (r % 18446744073709551616)::UBIGINT) AS kept FROM predict_masked) USING (block)
    JOIN predict_clear USING (block);
CREATE OR REPLACE TABLE "${result}" AS
    SELECT id, pid, CASE WHEN ends_with((SELECT any_value(training) FROM predict_share), ' linear')
                         THEN z * getvariable('label').unit * getvariable('peer_unit') ELSE lr_predict(z) END AS score
    FROM (SELECT name, floor(scores[(row - 1) % getvariable('slots') + 1] * 1048576) / 1048576 AS z
          FROM predict_rows JOIN predict_scores ON block = (row - 1) // getvariable('slots') + 1) JOIN predict_named USING (name)
    ORDER BY id;

CALL key_forget(getvariable('key'));
CALL key_forget(getvariable('peer_key'));

-- summary
SELECT count(*) AS rows, avg(score) AS mean_score, exchange_bytes() AS bytes FROM "${result}";
