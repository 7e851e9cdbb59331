-- Private matching, host: holds the key, never learns which of its ids the guest has.
-- The peer runs psi/guest. sql/psi/README.md says what each message reveals.
--
-- set peer             the guest's name
-- set table            your table or view
-- set id               its id column, or several with commas between
-- set scheme = rsa     how ids are hidden: rsa (blind signatures) or oprf (an elliptic curve), the same at both
-- set kind = raw       how ids are normalised: raw, trimmed, lower, email or phone (one a column)
-- set bits = 3072      with rsa: size of the key, fresh in each session: 2048 at least
-- set most_ids = 0     refuse a guest with more distinct ids than this; 0: any number
-- set result = alignment  the name of the table that it makes, in your current schema; one of that name and _unmatched is
--                      empty: the guest has none that you lack

SET VARIABLE id = duckpriv_written(getvariable('table'), getvariable('id'));

-- both parties have to run with the same settings; the guest's messages are checked for them
SET VARIABLE duckpriv_protocol = 'psi/1';
SET VARIABLE duckpriv_parameters =
    'kind=' || getvariable('kind') || ' columns=' || len(split_names(getvariable('id'))) || ' scheme=' || getvariable('scheme');
SELECT require(getvariable('scheme') IN ('rsa', 'oprf'), 'scheme is rsa or oprf');

-- the results' names are free
SELECT require_result(getvariable('result'), ['id', 'pid']), require_result(getvariable('result') || '_unmatched', ['pid']);

-- normalise the ids
CREATE OR REPLACE TEMP TABLE psi_ids_here AS
    FROM psi_ids(getvariable('table'), getvariable('id'), kind := getvariable('kind'));
SELECT require(count(*) = 0 OR count(psi_id) > 0,
               'none of the ' || count(*) || ' rows has an id; is it the right column and kind?')
FROM psi_ids_here;
-- now, since the guest sees how long it takes from message 2 on, and may know the distinct ids but not the rows
CREATE OR REPLACE TEMP TABLE psi_distinct AS
    SELECT DISTINCT psi_id FROM psi_ids_here WHERE psi_id IS NOT NULL;

-- what the owner of the table allows; what the guest learns is of single ids
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')], uses: policy_uses(split_names(getvariable('id')), 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- include shared/rsa_host.sql

-- include shared/oprf_host.sql

-- part map

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

-- result: every id of ours and its random id; there is none that we lack
CREATE OR REPLACE TABLE "${result}" AS
    SELECT DISTINCT id, pid FROM psi_ids_here
    JOIN psi_tokens_here USING (psi_id) JOIN psi_map_here USING (token)
    ORDER BY id;
CREATE OR REPLACE TABLE "${result}_unmatched" (pid UUID);

-- summary
SELECT count(*) AS rows, count(*) - count(psi_id) AS without_id,
       count(DISTINCT psi_id) AS distinct_ids, count(psi_id) - count(DISTINCT psi_id) AS repeated
FROM psi_ids_here;
