-- Prediction with a model of moments/regression whose weights stayed shared (reveal=none): this party helps, and does not see the scores. The
-- peer runs moments/predict. sql/moments/README.md says what each message reveals.
--
-- set peer                 the party that asks
-- set table                your table or view with your columns of the rows
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set model = model        the name of the model, as the training left it
-- set unmatched = refuse   rows asked for that we have no record of: refuse, or mean to answer with our mean, by
--                          which the peer can tell them
-- set bits = 3072          size of the Paillier keys, the same at both
-- set sigma = 64           a share is wrong with probability 2^-sigma, 40 at least, the same at both
--
-- next Nothing is left to do here: the other party has the scores.

SELECT require(getvariable('unmatched') IN ('refuse', 'mean'), 'unmatched is refuse or mean');
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

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE predict_named AS SELECT psi_id(id) AS name, x FROM predict_all;

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE predict_named AS SELECT pid::VARCHAR AS name, x FROM "${alignment}" JOIN predict_all USING (id);

-- part answer

-- include predict/keys.sql
-- include predict/start.sql
SET VARIABLE release = {what: 'scores', numbers: NULL::BIGINT,
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql
CALL exchange_send(getvariable('peer'), 'predict/unit', $$ SELECT getvariable('label').unit::DOUBLE AS unit $$);

-- the rows that are asked for; the training's mean stands for columns that we do not have
CREATE OR REPLACE TEMP TABLE predict_asked AS
    FROM exchange_recv(getvariable('peer'), 'predict/rows', columns := 'row BIGINT, name VARCHAR, hidden BLOB');
SELECT require(count(*) > 0 AND is_numbered(row, count(*)) AND count(DISTINCT name) = count(*),
               'the peer''s rows are not numbered one by one, or a row is asked for twice'),
       require(bool_and((l.scale, l.bound, l.slot_bits, l.count) = (20, 21, getvariable('slot_bits'), getvariable('slots'))),
               'the peer has to send an encrypted 0 or 1 for each row, with the agreed slots')
FROM (SELECT *, he_layout(hidden) AS l FROM predict_asked);
CREATE OR REPLACE TEMP TABLE predict_rows AS
    SELECT row, coalesce(x, getvariable('intercept') || list_transform(getvariable('means'), lambda mean: 0.0::DOUBLE)) AS x, x IS NOT NULL AS known
    FROM predict_asked LEFT JOIN predict_named USING (name);
SELECT require(getvariable('unmatched') = 'mean' OR bool_and(known),
               'the peer asks for ' || count(*) FILTER (NOT known) || ' rows that we have no record of. An answer would '
               || 'tell it which. To answer with the mean: both in a new session, here with --set unmatched=mean')
FROM predict_rows;
-- include predict/product.sql

-- Random numbers: the last 20 bits of each score are drowned in them, and of a row that is not wanted all others.
CREATE OR REPLACE TEMP TABLE predict_random AS
    SELECT block, list_transform(draws, lambda r: (r % 1048576)::UBIGINT) AS low, list_transform(draws, lambda r: (r // 1048576 % 17592186044416)::DOUBLE) AS high
    FROM (SELECT block, wide_decode(draws) AS draws FROM (SELECT block, wide_random(getvariable('slots')::BIGINT) AS draws FROM predict_clear));
CREATE OR REPLACE TEMP TABLE predict_hidden AS
    SELECT block, he_dot(cts, high[:len(cts)], getvariable('peer_key'), scale := 0, bound := 44) AS ct
    FROM (SELECT (row - 1) // getvariable('slots') + 1 AS block, list(hidden ORDER BY row) AS cts FROM predict_asked GROUP BY block)
    JOIN predict_random USING (block);
CREATE OR REPLACE TEMP TABLE predict_split AS
    SELECT block, he_share_split_wide(he_add(p.ct, h.ct, getvariable('peer_key')), getvariable('peer_key'), sigma := getvariable('sigma')::INTEGER) AS s
    FROM predict_product p JOIN predict_hidden h USING (block);
CREATE OR REPLACE TEMP TABLE predict_kept AS
    SELECT block, s.send AS ct,
           ring_add(ring_add(list_transform(wide_decode(s.keep), lambda r: (r % 18446744073709551616)::UBIGINT), low), parts) AS shares
    FROM predict_split JOIN predict_random USING (block) JOIN predict_clear USING (block);

-- the peer's numbers times our shares, masked: with them what is missing of each score
CREATE OR REPLACE TEMP TABLE predict_masked AS
    FROM exchange_recv(getvariable('peer'), 'predict/masked', columns := 'block BIGINT, ct BLOB');
SELECT require(is_numbered(block, (SELECT count(*) FROM predict_blocks)), 'the peer''s blocks are not those of its rows'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (20, getvariable('slot_bits'), getvariable('slots'))),
               'the peer''s sums do not have the agreed scale and slots')
FROM (SELECT block, he_layout(ct) AS l FROM predict_masked);
CREATE OR REPLACE TEMP TABLE predict_answer AS
    SELECT block, k.ct, ring_add(shares, paillier_decrypt_share(m.ct, getvariable('key')))[:rows] AS shares
    FROM predict_kept k JOIN predict_masked m USING (block)
    JOIN (SELECT (row - 1) // getvariable('slots') + 1 AS block, count(*) AS rows FROM predict_rows GROUP BY block) USING (block);
CALL exchange_send(getvariable('peer'), 'predict/answer', $$ SELECT block, ct, shares FROM predict_answer ORDER BY block $$);

CALL key_forget(getvariable('key'));
CALL key_forget(getvariable('peer_key'));

-- summary
SELECT count(*) AS rows, exchange_bytes() AS bytes FROM predict_rows;
