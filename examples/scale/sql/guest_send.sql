-- Private matching by clusters, guest, between the two works of the cluster: sends the blinded ids in parts, takes the host's answers.
-- The cluster then makes `tokens` of `answered` with oprf_finalize, which checks the host's proofs; behind it comes guest_match.sql.
--
-- set peer             the host's name
-- set table            your table or view
-- set id               its id column, or several with commas between
-- set kind = raw       as before
-- set folder           where the files are: it has the folders blinded and answered

-- both parties have to run with the same settings
SET VARIABLE duckpriv_protocol = 'scale/1';
SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind');

-- the parts: rows, and a hash of all of them in order
CREATE OR REPLACE TEMP TABLE scale_manifest (part BIGINT, rows BIGINT, digest VARCHAR);
SET VARIABLE parts = (SELECT count(*) FROM glob(getvariable('folder') || '/blinded/part-*.parquet'));
SET VARIABLE k = 0;

-- part digests while getvariable('k') < getvariable('parts')

SET VARIABLE k = getvariable('k') + 1;
INSERT INTO scale_manifest
    SELECT getvariable('k'), count(*), sha256(string_agg(hex(blinded), '' ORDER BY seq))
    FROM read_parquet(getvariable('folder') || '/blinded/part-' || getvariable('k') || '.parquet');

-- part manifest

SELECT require(getvariable('parts') = (SELECT count(*) FROM glob(getvariable('folder') || '/ids/part-*.parquet')),
               'the cluster has not blinded all files of ids'),
       require(count(DISTINCT digest) = count(*), 'two parts are the same')
FROM scale_manifest;

-- what the owner of the table allows
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')], uses: policy_uses(split_names(getvariable('id')), 'match'),
                       minimum: (SELECT sum(rows)::BIGINT FROM scale_manifest), epsilon: NULL::DOUBLE};
-- include ../../../sql/shared/policy.sql

SET VARIABLE release = {what: 'how many distinct ids we have', numbers: 1::BIGINT, alignment: NULL::VARCHAR};
-- include ../../../sql/shared/release.sql

-- message 2: how many parts our blinded ids have, and what is in each
CALL exchange_send(getvariable('peer'), 'scale/blinded', $$ FROM scale_manifest ORDER BY part $$);
SET VARIABLE k = 0;

-- part blinded while getvariable('k') < getvariable('parts')

-- message 2, a part
SET VARIABLE k = getvariable('k') + 1;
CALL exchange_send(getvariable('peer'), 'scale/blinded-' || getvariable('k')::VARCHAR, $$
    SELECT seq, blinded FROM read_parquet(getvariable('folder') || '/blinded/part-' || getvariable('k') || '.parquet') ORDER BY seq $$);

-- part answers-manifest

-- message 3: what is in each part of the host's answers
CREATE OR REPLACE TEMP TABLE scale_answers AS
    FROM exchange_recv(getvariable('peer'), 'scale/evaluated', columns := 'part BIGINT, rows BIGINT, digest VARCHAR');
SELECT require(is_numbered(part, getvariable('parts')), 'the host did not answer each part of our blinded ids exactly once') FROM scale_answers;
SET VARIABLE k = 0;

-- part answers while getvariable('k') < getvariable('parts')

-- message 3, a part: with our ids, for oprf_finalize, which checks the proofs
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE scale_part AS
    FROM exchange_recv(getvariable('peer'), 'scale/evaluated-' || getvariable('k')::VARCHAR, columns := 'batch BIGINT, evaluated BLOB[], proof BLOB');
CREATE OR REPLACE TEMP TABLE scale_mine AS
    SELECT (seq - 1) // 4096 AS batch, list(psi_id ORDER BY seq) AS ids, list(blinded ORDER BY seq) AS blinded
    FROM read_parquet(getvariable('folder') || '/blinded/part-' || getvariable('k') || '.parquet') GROUP BY batch;
SELECT require(count(*) = any_value(m.rows) AND count(*) = count(DISTINCT batch) AND count(*) = (SELECT count(*) FROM scale_mine)
               AND count(*) = (SELECT count(*) FROM scale_mine JOIN scale_part USING (batch))
               AND sha256(string_agg(array_to_string(list_transform(evaluated, lambda x: hex(x)), '') || hex(proof), '' ORDER BY batch)) = any_value(m.digest),
               'part ' || getvariable('k') || ' of the host''s answers is not the one that its manifest names, or answers another part of ours')
FROM scale_part, (FROM scale_answers WHERE part = getvariable('k')) m;
COPY (SELECT batch, ids, blinded, evaluated, proof FROM scale_mine JOIN scale_part USING (batch) ORDER BY batch)
    TO (getvariable('folder') || '/answered/part-' || getvariable('k') || '.parquet') (FORMAT parquet);

-- part end

SET VARIABLE written = 'answered';
-- include of_this_run.sql

SELECT getvariable('parts') AS parts;
