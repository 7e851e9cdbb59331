-- part keys if getvariable('counts')

-- Who counts masks each of its lists with a key of its own, so that nobody sees what two of them have in common.
CREATE OR REPLACE TEMP TABLE psi_size_masked (list BIGINT, masked BLOB);
SET VARIABLE k = 0;

-- part mask while getvariable('counts') AND getvariable('k') < getvariable('lists')

SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE key = 'psi-size-' || getvariable('session') || '-' || getvariable('me') || '-' || getvariable('k')::VARCHAR;
CALL oprf_keygen(getvariable('key'));
INSERT INTO psi_size_masked
    SELECT list, dh_mask(psi_id, getvariable('key')) FROM psi_size_here WHERE list = getvariable('k');

-- part release

SET VARIABLE release = {what: 'names of lists, how many ids each has, and how many each has in common with a list of the peer''s',
                        numbers: NULL::BIGINT, alignment: NULL::VARCHAR};
-- include ../../shared/release.sql

-- to the peer: our lists
CALL exchange_send(getvariable('peer'), 'psi_size/lists', $$ FROM psi_size_own_lists ORDER BY list $$);

-- part send if getvariable('counts')

-- to the peer: our ids, masked, in an order that says nothing
CALL exchange_send(getvariable('peer'), 'psi_size/masked', $$ FROM psi_size_masked ORDER BY list, masked $$);
DROP TABLE psi_size_masked;

-- part receive

-- from the peer: its lists
CREATE OR REPLACE TEMP TABLE psi_size_their_lists AS
    FROM exchange_recv(getvariable('peer'), 'psi_size/lists', columns := 'list BIGINT, name VARCHAR, ids BIGINT');
SELECT require(is_numbered(list, count(*)) AND count(*) BETWEEN 1 AND getvariable('max_lists')::BIGINT,
               'the peer has ' || count(*) || ' lists, or did not number them; max_lists allows ' || getvariable('max_lists')),
       require(bool_and(length(name) <= 1000 AND ids > 0) AND count(DISTINCT name) = count(*), 'the peer''s lists make no sense'),
       require(getvariable('most_ids')::BIGINT = 0 OR sum(ids) <= getvariable('most_ids')::BIGINT,
               'the peer has ' || sum(ids) || ' ids, more than most_ids allows')
FROM psi_size_their_lists;
SET VARIABLE peer_lists = (SELECT count(*) FROM psi_size_their_lists);

-- Pairs of a list of the host's and one of the guest's: k is (host_list - 1) * guest_lists + guest_list.
SET VARIABLE guest_lists = CASE WHEN getvariable('leads') THEN getvariable('peer_lists') ELSE getvariable('lists') END;
SET VARIABLE pairs = getvariable('lists') * getvariable('peer_lists');
CREATE OR REPLACE TEMP TABLE psi_size_pairs AS
    SELECT k, CASE WHEN getvariable('leads') THEN host_list ELSE guest_list END AS own, CASE WHEN getvariable('leads') THEN guest_list ELSE host_list END AS theirs
    FROM (SELECT k, (k - 1) // getvariable('guest_lists') + 1 AS host_list, (k - 1) % getvariable('guest_lists') + 1 AS guest_list
          FROM range(1, getvariable('pairs') + 1) t(k));
SET VARIABLE k = 0;
