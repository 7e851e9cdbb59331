-- Private matching, guest: learns which of its ids the host has, and names every id at random.
-- The peer runs psi/host. sql/psi/README.md says what each message reveals.
--
-- set peer             the host's name
-- set table            your table or view
-- set id               its id column, or several with commas between
-- set scheme = rsa     how ids are hidden: rsa (blind signatures) or oprf (an elliptic curve), the same at both
-- set kind = raw       how ids are normalised: raw, trimmed, lower, email or phone (one a column)
-- set result = alignment  the name of the table that it makes, in your current schema; the host's unmatched random ids go into
--                      one of that name and _unmatched

SET VARIABLE id = duckpriv_written(getvariable('table'), getvariable('id'));

-- both parties have to run with the same settings; the host's messages are checked for them
SET VARIABLE duckpriv_protocol = 'psi/1';
SET VARIABLE duckpriv_parameters =
    'kind=' || getvariable('kind') || ' columns=' || len(split_names(getvariable('id'))) || ' scheme=' || getvariable('scheme');
SELECT require(getvariable('scheme') IN ('rsa', 'oprf'), 'scheme is rsa or oprf');

-- the results' names are free
SELECT require_result(getvariable('result'), ['id', 'pid']), require_result(getvariable('result') || '_unmatched', ['pid']);

-- normalise the ids, and put the distinct ones in random order
CREATE OR REPLACE TEMP TABLE psi_ids_here AS
    FROM psi_ids(getvariable('table'), getvariable('id'), kind := getvariable('kind'));
SELECT require(count(*) = 0 OR count(psi_id) > 0,
               'none of the ' || count(*) || ' rows has an id; is it the right column and kind?')
FROM psi_ids_here;
CREATE OR REPLACE TEMP TABLE psi_sequence AS
    SELECT row_number() OVER (ORDER BY draw) AS seq, psi_id
    FROM (SELECT psi_id, random_id(psi_id) AS draw
          FROM (SELECT DISTINCT psi_id FROM psi_ids_here WHERE psi_id IS NOT NULL))
    ORDER BY seq;

-- what the owner of the table allows
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')], uses: policy_uses(split_names(getvariable('id')), 'match'),
                       minimum: (SELECT count(*) FROM psi_sequence), epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

SET VARIABLE release = {what: 'how many distinct ids we have', numbers: 1::BIGINT, alignment: getvariable('result')};

-- include shared/rsa_guest.sql

-- include shared/oprf_guest.sql

-- part map

-- message 4: the host's tokens
CREATE OR REPLACE TEMP TABLE psi_tokens_there AS
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

-- result: our ids that the host has too, and the random ids of those that it alone has
CREATE OR REPLACE TABLE "${result}" AS
    SELECT DISTINCT id, pid FROM psi_ids_here
    JOIN psi_tokens_here USING (psi_id) JOIN psi_map_here USING (token)
    ORDER BY id;
CREATE OR REPLACE TABLE "${result}_unmatched" AS
    SELECT pid FROM psi_map_here ANTI JOIN psi_tokens_here USING (token) ORDER BY pid;

-- include shared/no_match.sql

-- summary
SELECT count(*) AS rows, count(*) - count(psi_id) AS without_id,
       count(DISTINCT psi_id) AS distinct_ids, count(psi_id) - count(DISTINCT psi_id) AS repeated,
       (SELECT count(DISTINCT pid) FROM "${result}") AS matched,
       (SELECT count(*) FROM "${result}_unmatched") AS host_only
FROM psi_ids_here;
