-- Our ids, masked, in random order; each list with a key of its own, so that nobody sees what our lists have in common.
CREATE OR REPLACE TEMP TABLE psi_size_drawn AS
    SELECT list, row_number() OVER (PARTITION BY list ORDER BY draw) AS seq, psi_id
    FROM (SELECT list, psi_id, random_id(psi_id) AS draw FROM psi_size_here) ORDER BY list, seq;
CREATE OR REPLACE TEMP TABLE psi_size_masked (list BIGINT, seq BIGINT, masked BLOB);
SET VARIABLE k = 0;

-- part mask while getvariable('k') < getvariable('lists')

SET VARIABLE k = getvariable('k') + 1;
CALL oprf_keygen('psi-size-' || getvariable('session') || '-' || getvariable('me') || '-' || getvariable('k')::VARCHAR);
INSERT INTO psi_size_masked
    SELECT list, seq, dh_mask(psi_id, 'psi-size-' || getvariable('session') || '-' || getvariable('me') || '-' || getvariable('k')::VARCHAR)
    FROM psi_size_drawn WHERE list = getvariable('k');

-- part send

DROP TABLE psi_size_drawn;
SET VARIABLE release = {what: 'names of lists, how many ids each has, and how many each has in common with a list of the peer''s',
                        numbers: getvariable('lists'), alignment: NULL::VARCHAR};
-- include ../../shared/release.sql

-- to the peer: our lists, and their ids
CALL exchange_send(getvariable('peer'), 'psi_size/lists', $$
    FROM psi_size_own_lists ORDER BY list $$);
CALL exchange_send(getvariable('peer'), 'psi_size/masked', $$ FROM psi_size_masked ORDER BY list, seq $$);

-- from the peer: the same
CREATE OR REPLACE TEMP TABLE psi_size_their_lists AS
    FROM exchange_recv(getvariable('peer'), 'psi_size/lists', columns := 'list BIGINT, name VARCHAR, ids BIGINT');
SELECT require(is_numbered(list, count(*)) AND count(*) BETWEEN 1 AND getvariable('max_lists')::BIGINT,
               'the peer has ' || count(*) || ' lists, or did not number them; max_lists allows ' || getvariable('max_lists')),
       require(bool_and(length(name) <= 1000 AND ids >= 0) AND sum(ids) > 0, 'the peer''s lists make no sense'),
       require(getvariable('most_ids')::BIGINT = 0 OR sum(ids) <= getvariable('most_ids')::BIGINT,
               'the peer has ' || sum(ids) || ' ids, more than most_ids allows')
FROM psi_size_their_lists;
SET VARIABLE peer_lists = (SELECT count(*) FROM psi_size_their_lists);
CREATE OR REPLACE TEMP TABLE psi_size_theirs AS
    FROM exchange_recv(getvariable('peer'), 'psi_size/masked', columns := 'list BIGINT, seq BIGINT, masked BLOB');
SELECT require(bool_and(found IS NOT DISTINCT FROM ids AND sound), 'the peer did not mask each of its ids once')
FROM (SELECT list, ids FROM psi_size_their_lists WHERE ids > 0)
FULL JOIN (SELECT list, count(*) AS found, is_numbered(seq, count(*)) AND count(DISTINCT masked) = count(*) AS sound
           FROM psi_size_theirs GROUP BY list) USING (list);
