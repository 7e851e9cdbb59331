-- part theirs if NOT getvariable('counts')

-- from the peer, who counts: its ids, masked. Ours leave only now, so that it cannot make its own from them.
CREATE OR REPLACE TEMP TABLE psi_size_theirs AS
    FROM exchange_recv(getvariable('peer'), 'psi_size/masked', columns := 'list BIGINT, masked BLOB');
SELECT require(bool_and(coalesce(found = ids AND different = ids, false)), 'the peer did not mask each of its ids once')
FROM psi_size_their_lists
FULL JOIN (SELECT list, count(*) AS found, count(DISTINCT masked) AS different FROM psi_size_theirs GROUP BY list) USING (list);

-- part answer while NOT getvariable('counts') AND getvariable('k') < getvariable('pairs')

-- to the peer: a list of ours, and one of its own, masked with a key that no other pair has, sorted: so it cannot tell which id is which, nor follow
-- one from pair to pair
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE pair = (SELECT {own: own, theirs: theirs} FROM psi_size_pairs WHERE k = getvariable('k'));
SET VARIABLE key = 'psi-size-' || getvariable('session') || '-' || getvariable('me') || '-' || getvariable('k')::VARCHAR;
CALL oprf_keygen(getvariable('key'));
CREATE OR REPLACE TEMP TABLE psi_size_pair AS
    SELECT dh_mask(psi_id, getvariable('key')) AS masked FROM psi_size_here WHERE list = getvariable('pair').own;
CREATE OR REPLACE TEMP TABLE psi_size_twice AS
    SELECT dh_remask(masked, getvariable('key')) AS masked FROM psi_size_theirs WHERE list = getvariable('pair').theirs;
CALL exchange_send(getvariable('peer'), 'psi_size/masked-' || getvariable('k')::VARCHAR, $$ FROM psi_size_pair ORDER BY masked $$);
CALL exchange_send(getvariable('peer'), 'psi_size/twice-' || getvariable('k')::VARCHAR, $$ FROM psi_size_twice ORDER BY masked $$);
CALL key_forget(getvariable('key'));
