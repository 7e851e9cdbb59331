-- Private matching by clusters, guest, behind the cluster: names the host's tokens at random, in parts, and joins them with the own ones.
-- What matches is then in the folder alignment: psi_id, pid; the host's other random ids in unmatched: pid.
--
-- set peer             the host's name
-- set kind = raw       as before
-- set folder           where the files are: it has the folders ids, tokens, named, buckets, alignment and unmatched

-- both parties have to run with the same settings
SET VARIABLE duckpriv_protocol = 'scale/1';
SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind');

-- message 4: what is in each part of the host's tokens
CREATE OR REPLACE TEMP TABLE scale_tokens AS
    FROM exchange_recv(getvariable('peer'), 'scale/tokens', columns := 'part BIGINT, rows BIGINT, digest VARCHAR');
SELECT require(is_numbered(part, count(*)), 'the parts of the host''s tokens are not numbered one by one') FROM scale_tokens;
SET VARIABLE buckets = (SELECT count(*) FROM scale_tokens);
CREATE OR REPLACE TEMP TABLE scale_map (part BIGINT, rows BIGINT, digest VARCHAR);
SET VARIABLE k = 0;

-- part tokens while getvariable('k') < getvariable('buckets')

-- message 4, a part: a random id for each token; not joined with ours before all of message 5 has left, since the host sees how long
-- that takes
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE scale_part AS
    FROM exchange_recv(getvariable('peer'), 'scale/tokens-' || getvariable('k')::VARCHAR, columns := 'token BLOB');
SELECT require(count(token) = m.rows AND count(DISTINCT token) = count(token) AND count(*) FILTER (octet_length(token) <> 32) = 0
               AND coalesce(bool_and(('0x' || left(hex(token), 8))::BIGINT * getvariable('buckets') // 4294967296 + 1 = getvariable('k')), true)
               AND sha256(coalesce(string_agg(hex(token), '' ORDER BY token), '')) = m.digest,
               'part ' || getvariable('k') || ' of the host''s tokens is not the one that its manifest names, or its tokens belong into another')
FROM scale_part RIGHT JOIN (FROM scale_tokens WHERE part = getvariable('k')) m ON true GROUP BY m.rows, m.digest;
CREATE OR REPLACE TEMP TABLE scale_named AS FROM psi_map_random('scale_part');
COPY scale_named TO (getvariable('folder') || '/named/part-' || getvariable('k') || '.parquet') (FORMAT parquet);
INSERT INTO scale_map
    SELECT getvariable('k'), count(*), sha256(coalesce(string_agg(hex(token) || pid, '' ORDER BY token), '')) FROM scale_named;

-- part all-named

SET VARIABLE written = 'named';
-- include of_this_run.sql

-- part map-manifest

-- message 5: what is in each part of the random ids
CALL exchange_send(getvariable('peer'), 'scale/map', $$ FROM scale_map ORDER BY part $$);
SET VARIABLE k = 0;

-- part map while getvariable('k') < getvariable('buckets')

-- message 5, a part
SET VARIABLE k = getvariable('k') + 1;
CALL exchange_send(getvariable('peer'), 'scale/map-' || getvariable('k')::VARCHAR, $$
    SELECT token, pid FROM read_parquet(getvariable('folder') || '/named/part-' || getvariable('k') || '.parquet') ORDER BY token $$);

-- part buckets

-- our tokens by their first bits
SET VARIABLE ids = (SELECT count(*) FROM read_parquet(getvariable('folder') || '/ids/part-*.parquet'));
SELECT require(sum(len(tokens)) = getvariable('ids') AND sum(len(ids)) = getvariable('ids'), 'the cluster has not made the tokens of all ids')
FROM read_parquet(getvariable('folder') || '/tokens/part-*.parquet');
COPY (SELECT psi_id, token, ('0x' || left(hex(token), 8))::BIGINT * getvariable('buckets') // 4294967296 + 1 AS part
      FROM (SELECT unnest(ids) AS psi_id, unnest(tokens) AS token FROM read_parquet(getvariable('folder') || '/tokens/part-*.parquet')))
    TO (getvariable('folder') || '/buckets') (FORMAT parquet, PARTITION_BY (part), OVERWRITE);
SET VARIABLE k = 0;

-- part match while getvariable('k') < getvariable('buckets')

SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE scale_mine AS
    SELECT psi_id, token FROM read_parquet(getvariable('folder') || '/buckets/*/*.parquet', hive_partitioning = true) WHERE part = getvariable('k');
CREATE OR REPLACE TEMP TABLE scale_named AS
    FROM read_parquet(getvariable('folder') || '/named/part-' || getvariable('k') || '.parquet');
COPY (SELECT psi_id, pid FROM scale_mine JOIN scale_named USING (token))
    TO (getvariable('folder') || '/alignment/part-' || getvariable('k') || '.parquet') (FORMAT parquet);
COPY (SELECT pid FROM scale_named ANTI JOIN scale_mine USING (token) ORDER BY pid)
    TO (getvariable('folder') || '/unmatched/part-' || getvariable('k') || '.parquet') (FORMAT parquet);

-- part result

SET VARIABLE written = 'alignment';
-- include of_this_run.sql
SET VARIABLE written = 'unmatched';
-- include of_this_run.sql

SELECT getvariable('ids') AS ids, getvariable('buckets') AS parts,
       (SELECT count(*) FROM read_parquet(getvariable('folder') || '/alignment/part-*.parquet')) AS matched,
       (SELECT count(*) FROM read_parquet(getvariable('folder') || '/unmatched/part-*.parquet')) AS host_only;
