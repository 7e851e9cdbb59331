-- part count-begin

CREATE OR REPLACE TEMP TABLE psi_size_counts (k BIGINT, both_ids BIGINT);

-- part count while getvariable('counts') AND getvariable('k') < getvariable('pairs')

-- from the peer: a list of its own, which we mask too; and one of ours, masked by both
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE pair = (SELECT {own: own, theirs: theirs} FROM psi_size_pairs WHERE k = getvariable('k'));
CREATE OR REPLACE TEMP TABLE psi_size_there AS
    FROM exchange_recv(getvariable('peer'), 'psi_size/masked-' || getvariable('k')::VARCHAR, columns := 'masked BLOB');
CREATE OR REPLACE TEMP TABLE psi_size_here_twice AS
    FROM exchange_recv(getvariable('peer'), 'psi_size/twice-' || getvariable('k')::VARCHAR, columns := 'masked BLOB');
SELECT require(count(*) = (SELECT ids FROM psi_size_their_lists WHERE list = getvariable('pair').theirs) AND count(DISTINCT masked) = count(*),
               'the peer did not mask each of its ids once')
FROM psi_size_there;
SELECT require(count(*) = (SELECT ids FROM psi_size_own_lists WHERE list = getvariable('pair').own) AND count(DISTINCT masked) = count(*),
               'the peer did not mask each of our ids once')
FROM psi_size_here_twice;
SET VARIABLE key = 'psi-size-' || getvariable('session') || '-' || getvariable('me') || '-' || getvariable('pair').own::VARCHAR;
INSERT INTO psi_size_counts
    SELECT getvariable('k'), count(*)
    FROM (SELECT dh_remask(masked, getvariable('key')) AS masked FROM psi_size_there) SEMI JOIN psi_size_here_twice USING (masked);

-- part tell if getvariable('counts') AND getvariable('to') = 'both'

-- to the peer: the numbers; -1 for those below the minimum
CALL exchange_send(getvariable('peer'), 'psi_size/counts', $$
    SELECT k, CASE WHEN both_ids < getvariable('minimum') THEN -1 ELSE both_ids END AS both_ids FROM psi_size_counts ORDER BY k $$);

-- part told if NOT getvariable('counts') AND getvariable('to') = 'both'

INSERT INTO psi_size_counts
    FROM exchange_recv(getvariable('peer'), 'psi_size/counts', columns := 'k BIGINT, both_ids BIGINT');
SELECT require(is_numbered(k, getvariable('pairs')), 'the peer did not tell each number once'),
       require(bool_and(both_ids BETWEEN -1 AND least(h.ids, g.ids) AND (both_ids = -1 OR both_ids >= getvariable('minimum'))), 'the peer''s numbers make no sense')
FROM psi_size_counts JOIN psi_size_pairs p USING (k)
JOIN psi_size_own_lists h ON h.list = p.own
JOIN psi_size_their_lists g ON g.list = p.theirs;

-- part forget-begin

SET VARIABLE k = 0;

-- part forget while getvariable('counts') AND getvariable('k') < getvariable('lists')

SET VARIABLE k = getvariable('k') + 1;
CALL key_forget('psi-size-' || getvariable('session') || '-' || getvariable('me') || '-' || getvariable('k')::VARCHAR);
