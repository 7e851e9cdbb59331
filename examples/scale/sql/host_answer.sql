-- Private matching by clusters, host, behind the cluster: sends what it evaluated and the own tokens, in parts, and takes the random ids.
-- They are then in the folder alignment: psi_id, pid.
--
-- set peer             the guest's name
-- set table            your table or view
-- set id               its id column, or several with commas between
-- set kind = raw       as before
-- set folder           where the files are: it has the folders evaluated, tokens, buckets and alignment
-- set rows = 1048576   tokens a message, about

-- both parties have to run with the same settings
SET VARIABLE duckpriv_protocol = 'scale/1';
SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind');

-- what the owner of the table allows; what the guest learns is of single ids
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')], uses: policy_uses(split_names(getvariable('id')), 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../../../sql/shared/policy.sql

-- the parts of what was evaluated
CREATE OR REPLACE TEMP TABLE scale_evaluated (part BIGINT, rows BIGINT, digest VARCHAR);
SET VARIABLE parts = (SELECT count(*) FROM glob(getvariable('folder') || '/evaluated/part-*.parquet'));
SET VARIABLE k = 0;

-- part digests while getvariable('k') < getvariable('parts')

SET VARIABLE k = getvariable('k') + 1;
INSERT INTO scale_evaluated
    SELECT getvariable('k'), count(*),
           sha256(string_agg(array_to_string(list_transform(answer.evaluated, lambda x: hex(x)), '') || hex(answer.proof), '' ORDER BY batch))
    FROM read_parquet(getvariable('folder') || '/evaluated/part-' || getvariable('k') || '.parquet');

-- part evaluated-manifest

SELECT require(getvariable('parts') = (SELECT count(*) FROM glob(getvariable('folder') || '/blinded/part-*.parquet')),
               'the cluster has not evaluated all parts of the guest''s blinded ids');

-- message 3: what is in each part
CALL exchange_send(getvariable('peer'), 'scale/evaluated', $$ FROM scale_evaluated ORDER BY part $$);
SET VARIABLE k = 0;

-- part evaluated while getvariable('k') < getvariable('parts')

-- message 3, a part
SET VARIABLE k = getvariable('k') + 1;
CALL exchange_send(getvariable('peer'), 'scale/evaluated-' || getvariable('k')::VARCHAR, $$
    SELECT batch, answer.evaluated AS evaluated, answer.proof AS proof
    FROM read_parquet(getvariable('folder') || '/evaluated/part-' || getvariable('k') || '.parquet') ORDER BY batch $$);

-- part buckets

-- our tokens by their first bits: both parties can then join one part after the other
SET VARIABLE tokens = (SELECT count(*) FROM read_parquet(getvariable('folder') || '/tokens/part-*.parquet'));
SELECT require(getvariable('tokens') = (SELECT count(*) FROM read_parquet(getvariable('folder') || '/ids/part-*.parquet')),
               'the cluster has not made the tokens of all ids');
SET VARIABLE buckets = greatest(1, ceil(getvariable('tokens') / getvariable('rows')::BIGINT))::BIGINT;
COPY (SELECT psi_id, token, ('0x' || left(hex(token), 8))::BIGINT * getvariable('buckets') // 4294967296 + 1 AS part
      FROM read_parquet(getvariable('folder') || '/tokens/part-*.parquet'))
    TO (getvariable('folder') || '/buckets') (FORMAT parquet, PARTITION_BY (part), OVERWRITE);
CREATE OR REPLACE TEMP TABLE scale_tokens (part BIGINT, rows BIGINT, digest VARCHAR);
SET VARIABLE k = 0;

-- part digests-of-tokens while getvariable('k') < getvariable('buckets')

SET VARIABLE k = getvariable('k') + 1;
INSERT INTO scale_tokens
    SELECT getvariable('k'), count(*), sha256(coalesce(string_agg(hex(token), '' ORDER BY token), ''))
    FROM read_parquet(getvariable('folder') || '/buckets/*/*.parquet', hive_partitioning = true) WHERE part = getvariable('k');

-- part tokens-manifest

SET VARIABLE release = {what: 'which of the peer''s ids we have, and how many distinct ids', numbers: getvariable('tokens'), alignment: NULL::VARCHAR};
-- include ../../../sql/shared/release.sql

-- message 4: what is in each part of our tokens
CALL exchange_send(getvariable('peer'), 'scale/tokens', $$ FROM scale_tokens ORDER BY part $$);
SET VARIABLE k = 0;

-- part tokens while getvariable('k') < getvariable('buckets')

-- message 4, a part: sorted, so that their order says nothing
SET VARIABLE k = getvariable('k') + 1;
CALL exchange_send(getvariable('peer'), 'scale/tokens-' || getvariable('k')::VARCHAR, $$
    SELECT token FROM read_parquet(getvariable('folder') || '/buckets/*/*.parquet', hive_partitioning = true)
    WHERE part = getvariable('k') ORDER BY token $$);

-- part map-manifest

-- message 5: what is in each part of the random ids
CREATE OR REPLACE TEMP TABLE scale_map AS
    FROM exchange_recv(getvariable('peer'), 'scale/map', columns := 'part BIGINT, rows BIGINT, digest VARCHAR');
SELECT require(is_numbered(part, getvariable('buckets')), 'the guest did not answer each part of our tokens exactly once') FROM scale_map;
SET VARIABLE k = 0;

-- part map while getvariable('k') < getvariable('buckets')

-- message 5, a part: a random id for each of our tokens, matched or not
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE scale_part AS
    FROM exchange_recv(getvariable('peer'), 'scale/map-' || getvariable('k')::VARCHAR, columns := 'token BLOB, pid UUID');
CREATE OR REPLACE TEMP TABLE scale_mine AS
    SELECT psi_id, token FROM read_parquet(getvariable('folder') || '/buckets/*/*.parquet', hive_partitioning = true) WHERE part = getvariable('k');
SELECT require(count(token) = m.rows AND count(token) = (SELECT count(*) FROM scale_mine)
               AND NOT EXISTS (SELECT token FROM scale_mine EXCEPT SELECT token FROM scale_part)
               AND sha256(coalesce(string_agg(hex(token) || pid, '' ORDER BY token), '')) = m.digest,
               'part ' || getvariable('k') || ' of the random ids is not the one that its manifest names, or not of our tokens')
FROM scale_part RIGHT JOIN (FROM scale_map WHERE part = getvariable('k')) m ON true GROUP BY m.rows, m.digest;
COPY (SELECT psi_id, pid FROM scale_mine JOIN scale_part USING (token))
    TO (getvariable('folder') || '/alignment/part-' || getvariable('k') || '.parquet') (FORMAT parquet);

-- part result

SET VARIABLE written = 'alignment';
-- include of_this_run.sql

SELECT require(count(*) = getvariable('tokens') AND count(DISTINCT pid) = count(*), 'the guest gave one random id to several tokens')
FROM read_parquet(getvariable('folder') || '/alignment/part-*.parquet');
SELECT getvariable('tokens') AS ids, getvariable('buckets') AS parts;
