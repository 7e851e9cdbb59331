-- part result if getvariable('receives')

-- result: how many ids each two lists have in common; NULL where it is less than the minimum
CREATE OR REPLACE TABLE "${result}" AS
    WITH pairs AS (SELECT p.*, h.name AS own_name, h.ids AS own_ids, t.name AS their_name, t.ids AS their_ids
                   FROM psi_size_pairs p JOIN psi_size_own_lists h ON h.list = p.own JOIN psi_size_their_lists t ON t.list = p.theirs)
    SELECT CASE WHEN getvariable('leads') THEN own_name ELSE their_name END AS host_list,
           CASE WHEN getvariable('leads') THEN their_name ELSE own_name END AS guest_list,
           CASE WHEN getvariable('leads') THEN own_ids ELSE their_ids END AS host_ids,
           CASE WHEN getvariable('leads') THEN their_ids ELSE own_ids END AS guest_ids,
           CASE WHEN both_ids >= greatest(getvariable('minimum'), 0) THEN both_ids END AS both_ids
    FROM pairs JOIN psi_size_counts USING (k) ORDER BY k;

-- part end

-- summary
SELECT getvariable('lists') AS lists, (SELECT sum(ids)::BIGINT FROM psi_size_own_lists) AS ids, getvariable('peer_lists') AS peer_lists,
       (SELECT sum(ids)::BIGINT FROM psi_size_their_lists) AS peer_ids, exchange_bytes() AS bytes;
