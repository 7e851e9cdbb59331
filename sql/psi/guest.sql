-- Private matching, guest: learns which of its ids the host has, and names every id at random.
-- The peer runs psi/host. sql/psi/README.md says what each message reveals.
--
-- set peer             the host's name
-- set table            your table or view
-- set id               its id column, or several with commas between; several keys, the first of which that matches counts,
--                      with semicolons between: email; phone
-- set scheme = oprf    how ids are hidden: oprf (an elliptic curve) or rsa (blind signatures), the same at both
-- set kind = raw       how ids are normalised: raw, trimmed, lower, email or phone (one a column; keys as in id)
-- set duplicates =     where an id is in several rows: refuse; first: it belongs to the first of them; or all. Empty: all,
--                      but with several keys refuse
-- set result = alignment  the name of the table that it makes, in your current schema; the host's unmatched random ids go into
--                      one of that name and _unmatched
--
-- next Your records that both have are in ${result}. In a new session, go on with aggregate/guest (counts and sums by group),
-- next scorecard/guest (what columns tell of a label) or lr_joint_key/guest (a model).

-- include shared/ids.sql

-- the distinct ids of all keys, in random order
CREATE OR REPLACE TEMP TABLE psi_sequence AS
    SELECT row_number() OVER (ORDER BY draw) AS seq, psi_id
    FROM (SELECT psi_id, random_id(psi_id) AS draw
          FROM (SELECT DISTINCT psi_id FROM psi_parts WHERE psi_id IS NOT NULL))
    ORDER BY seq;

-- what the owner of the table allows
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')], uses: policy_uses(getvariable('id_columns'), 'match'),
                       minimum: (SELECT count(*) FROM psi_records), epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

SET VARIABLE release = {what: 'how many distinct ids we have', numbers: 1::BIGINT, alignment: getvariable('result')};

-- include shared/rsa_guest.sql

-- include shared/oprf_guest.sql

-- part tokens if getvariable('keys') = 1

-- message 4: the host's tokens
CREATE OR REPLACE TEMP TABLE psi_tokens_there AS
    SELECT row_number() OVER () AS record, 1::BIGINT AS key, token
    FROM exchange_recv(getvariable('peer'), 'psi/tokens', columns := 'token BLOB');
SELECT require(
    count(*) = count(DISTINCT token) AND count(*) FILTER (octet_length(token) <> 32) = 0,
    'the host''s tokens are not distinct values of 32 bytes')
FROM psi_tokens_there;

-- a random id for each of the host's tokens; not joined with ours before message 5 has left, since the host sees
-- how long that takes
CREATE OR REPLACE TEMP TABLE psi_map_here AS FROM psi_map_random('psi_tokens_there');

-- message 5: the random id of each of the host's tokens, sorted, so that the order says nothing
CALL exchange_send(getvariable('peer'), 'psi/map', $$ SELECT token, pid FROM psi_map_here ORDER BY token $$);
CREATE OR REPLACE TEMP TABLE psi_pids AS SELECT record, pid FROM psi_tokens_there JOIN psi_map_here USING (token);

-- part records-there if getvariable('keys') > 1

-- message 4: the host's records, with a token for each key
CREATE OR REPLACE TEMP TABLE psi_tokens_there AS
    FROM exchange_recv(getvariable('peer'), 'psi/records', columns := 'record BIGINT, key BIGINT, token BLOB');
SELECT require(coalesce(bool_and(key BETWEEN 1 AND getvariable('keys')), true)
               AND is_numbered((record::HUGEINT - 1) * getvariable('keys') + key, count(*)) AND count(*) % getvariable('keys') = 0,
               'the host''s records do not have one token for each key'),
       require(count(*) FILTER (octet_length(token) <> 32) = 0 AND (getvariable('duplicates') = 'all' OR count(DISTINCT token) = count(*)),
               'the host''s tokens are not values of 32 bytes, or not distinct')
FROM psi_tokens_there;

-- a random id for each of the host's records; joined with ours later, as above
CREATE OR REPLACE TEMP TABLE psi_pids AS
    SELECT record, random_id(record) AS pid FROM psi_tokens_there WHERE key = 1;

-- message 5: the random id of each of the host's records
CALL exchange_send(getvariable('peer'), 'psi/pids', $$ SELECT record, pid FROM psi_pids ORDER BY record $$);

-- part begin

-- Pairs of a record here and one there with the same id of the first key, then of the second among those that had no pair, and so on.
CREATE OR REPLACE TEMP TABLE psi_pairs (here BIGINT, there BIGINT, key BIGINT);
SET VARIABLE step = 0;

-- part match while getvariable('step') < getvariable('keys')

SET VARIABLE step = getvariable('step') + 1;
INSERT INTO psi_pairs
    SELECT p.record, t.record, t.key
    FROM psi_parts p JOIN psi_tokens_here h ON h.psi_id = p.psi_id JOIN psi_tokens_there t ON t.token = h.token AND t.key = p.key
    WHERE p.key = getvariable('step') AND p.record NOT IN (SELECT here FROM psi_pairs) AND t.record NOT IN (SELECT there FROM psi_pairs);

-- part result

-- result: our ids that the host has too, and the random ids of those that it alone has
CREATE OR REPLACE TABLE "${result}" AS
    SELECT DISTINCT id, pid FROM psi_ids_here
    JOIN psi_records USING (psi_ids) JOIN psi_pairs ON here = psi_records.record JOIN psi_pids ON psi_pids.record = there
    ORDER BY id;
CREATE OR REPLACE TABLE "${result}_unmatched" AS
    SELECT pid FROM psi_pids ANTI JOIN psi_pairs ON there = record ORDER BY pid;

-- include shared/no_match.sql

-- part summary if getvariable('keys') = 1

-- summary
SELECT getvariable('rows') AS rows, getvariable('without_id') AS without_id, coalesce(sum(distinct_ids), 0)::BIGINT AS distinct_ids,
       coalesce(sum(repeated), 0)::BIGINT AS repeated, (SELECT count(DISTINCT pid) FROM "${result}") AS matched,
       (SELECT count(*) FROM "${result}_unmatched") AS host_only
FROM psi_counts;

-- part summary-of-keys if getvariable('keys') > 1

-- summary; lists are by key
SELECT getvariable('rows') AS rows, getvariable('without_id') AS without_id, list(distinct_ids ORDER BY key) AS distinct_ids,
       list(repeated ORDER BY key) AS repeated, (SELECT count(*) FROM psi_records) AS records,
       (SELECT count(DISTINCT pid) FROM "${result}") AS matched,
       list((SELECT count(DISTINCT there) FROM psi_pairs WHERE psi_pairs.key = psi_counts.key) ORDER BY key) AS matched_by,
       (SELECT count(*) FROM "${result}_unmatched") AS host_only
FROM psi_counts;
