-- Private matching, host: holds the key, never learns which of its ids the guest has.
-- The peer runs psi/guest. sql/psi/README.md says what each message reveals.
--
-- set peer             the guest's name
-- set table            your table or view
-- set id               its id column, or several with commas between; several keys, the first of which that matches counts,
--                      with semicolons between: email; phone
-- set scheme = oprf    how ids are hidden: oprf (an elliptic curve) or rsa (blind signatures), the same at both
-- set kind = raw       how ids are normalised: raw, trimmed, lower, email or phone (one a column; keys as in id)
-- set duplicates =     where an id is in several rows: refuse; first: it belongs to the first of them; or all. Empty: all,
--                      but with several keys refuse
-- set bits = 3072      with rsa: size of the key, fresh in each session: 2048 at least
-- set most_ids = 0     refuse a guest with more distinct ids than this, of all keys; 0: any number
-- set result = alignment  the name of the table that it makes, in your current schema; one of that name and _unmatched is
--                      empty: the guest has none that you lack
--
-- next You have a random id for each of your records in ${result}; the guest knows which are common. In a new session, go on with
-- next aggregate/host (counts and sums by group), scorecard/host (what columns tell of a label) or lr_joint_key/host (a model).

-- include shared/ids.sql

-- Now, since the guest sees how long it takes from message 2 on, and may know neither the rows nor which ids a record lacks. In the
-- place of one that it lacks stands a random one.
CREATE OR REPLACE TEMP TABLE psi_parts AS
    SELECT record, key, coalesce(psi_id, psi_id(['0', random_id(record)::VARCHAR])) AS psi_id FROM psi_parts;
CREATE OR REPLACE TEMP TABLE psi_distinct AS SELECT DISTINCT psi_id FROM psi_parts;

-- what the owner of the table allows; what the guest learns is of single ids
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')], uses: policy_uses(getvariable('id_columns'), 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- include shared/rsa_host.sql

-- include shared/oprf_host.sql

-- part tokens if getvariable('keys') = 1

SET VARIABLE release = {what: 'which of the peer''s ids we have, and how many distinct ids', numbers: (SELECT count(*) FROM psi_tokens_here),
                        alignment: getvariable('result')};
-- include ../shared/release.sql

-- message 4: our tokens, sorted, so that their order says nothing
CALL exchange_send(getvariable('peer'), 'psi/tokens',
    $$ SELECT token FROM psi_tokens_here ORDER BY token $$);

-- message 5: a random id for each of our tokens, matched or not
CREATE OR REPLACE TEMP TABLE psi_map_here AS
    FROM exchange_recv(getvariable('peer'), 'psi/map', columns := 'token BLOB, pid UUID');
SELECT require(
    (SELECT count(*) FROM psi_map_here) = (SELECT count(*) FROM psi_tokens_here)
    AND NOT EXISTS (SELECT token FROM psi_tokens_here EXCEPT SELECT token FROM psi_map_here)
    AND (SELECT count(DISTINCT pid) = count(*) FROM psi_map_here),
    'the guest did not give exactly one random id to each of our tokens');
CREATE OR REPLACE TEMP TABLE psi_pids AS
    SELECT record, pid FROM psi_parts JOIN psi_tokens_here USING (psi_id) JOIN psi_map_here USING (token);

-- part records-sent if getvariable('keys') > 1

SET VARIABLE release = {what: 'which of the peer''s ids we have, which of them in one record, and how many records', numbers: (SELECT count(*) FROM psi_parts),
                        alignment: getvariable('result')};
-- include ../shared/release.sql

-- message 4: a token for each key of each of our records
CALL exchange_send(getvariable('peer'), 'psi/records',
    $$ SELECT record, key, token FROM psi_parts JOIN psi_tokens_here USING (psi_id) ORDER BY record, key $$);

-- message 5: a random id for each of our records, matched or not
CREATE OR REPLACE TEMP TABLE psi_pids AS
    FROM exchange_recv(getvariable('peer'), 'psi/pids', columns := 'record BIGINT, pid UUID');
SELECT require(is_numbered(record, (SELECT count(*) FROM psi_records)) AND count(DISTINCT pid) = count(*),
               'the guest did not give exactly one random id to each of our records')
FROM psi_pids;

-- part result

-- result: every id of ours and its random id; there is none that we lack
CREATE OR REPLACE TABLE "${result}" AS
    SELECT DISTINCT id, pid FROM psi_ids_here
    JOIN psi_records USING (psi_ids) JOIN psi_pids USING (record)
    ORDER BY id;
CREATE OR REPLACE TABLE "${result}_unmatched" (pid UUID);

-- part summary if getvariable('keys') = 1

-- summary
SELECT getvariable('rows') AS rows, getvariable('without_id') AS without_id, coalesce(sum(distinct_ids), 0)::BIGINT AS distinct_ids,
       coalesce(sum(repeated), 0)::BIGINT AS repeated
FROM psi_counts;

-- part summary-of-keys if getvariable('keys') > 1

-- summary; lists are by key
SELECT getvariable('rows') AS rows, getvariable('without_id') AS without_id, list(distinct_ids ORDER BY key) AS distinct_ids,
       list(repeated ORDER BY key) AS repeated, (SELECT count(*) FROM psi_records) AS records
FROM psi_counts;
