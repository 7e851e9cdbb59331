-- part count-begin

CREATE OR REPLACE TEMP TABLE psi_size_counts (k BIGINT, both_ids BIGINT);

-- part count while getvariable('counts') AND getvariable('k') < getvariable('pairs')

-- from the peer: our list, masked by both; compared with its list, masked by both
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE pair = (SELECT {own: own, theirs: theirs} FROM psi_size_pairs WHERE k = getvariable('k'));
CREATE OR REPLACE TEMP TABLE psi_size_here_twice AS
    FROM exchange_recv(getvariable('peer'), 'psi_size/twice-' || getvariable('k')::VARCHAR, columns := 'masked BLOB');
SELECT require(count(*) = (SELECT ids FROM psi_size_own_lists WHERE list = getvariable('pair').own) AND count(DISTINCT masked) = count(*),
               'the peer did not mask each of our ids once')
FROM psi_size_here_twice;
INSERT INTO psi_size_counts
    SELECT getvariable('k'), count(*)
    FROM (SELECT dh_remask(masked, 'psi-size-' || getvariable('session') || '-' || getvariable('me') || '-' || getvariable('pair').own::VARCHAR) AS masked
          FROM psi_size_theirs WHERE list = getvariable('pair').theirs)
    SEMI JOIN psi_size_here_twice USING (masked);

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
