-- part answer-begin

-- Pairs of a list of the host's and one of the guest's: k is (host_list - 1) * guest_lists + guest_list.
SET VARIABLE guest_lists = CASE WHEN getvariable('leads') THEN getvariable('peer_lists') ELSE getvariable('lists') END;
SET VARIABLE pairs = getvariable('lists') * getvariable('peer_lists');
CREATE OR REPLACE TEMP TABLE psi_size_pairs AS
    SELECT k, CASE WHEN getvariable('leads') THEN host_list ELSE guest_list END AS own, CASE WHEN getvariable('leads') THEN guest_list ELSE host_list END AS theirs
    FROM (SELECT k, (k - 1) // getvariable('guest_lists') + 1 AS host_list, (k - 1) % getvariable('guest_lists') + 1 AS guest_list
          FROM range(1, getvariable('pairs') + 1) t(k));
SET VARIABLE k = 0;

-- part answer while NOT getvariable('counts') AND getvariable('k') < getvariable('pairs')

-- to the peer, who counts: a list of its own, masked with the key of one of ours, sorted, so that it cannot tell which id is which
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE pair = (SELECT {own: own, theirs: theirs} FROM psi_size_pairs WHERE k = getvariable('k'));
CALL exchange_send(getvariable('peer'), 'psi_size/twice-' || getvariable('k')::VARCHAR, $$
    SELECT masked
    FROM (SELECT dh_remask(masked, 'psi-size-' || getvariable('session') || '-' || getvariable('me') || '-' || getvariable('pair').own::VARCHAR) AS masked
          FROM psi_size_theirs WHERE list = getvariable('pair').theirs)
    ORDER BY masked $$);
