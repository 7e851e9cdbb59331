-- results: a random id for every id of ours, those of what only the peer has, and the sizes
CREATE OR REPLACE TABLE "${result}" AS
    SELECT DISTINCT id, pid FROM private_id_here JOIN private_id_names USING (psi_id) ORDER BY id;
CREATE OR REPLACE TABLE "${result}_unmatched" AS SELECT pid FROM private_id_absent ORDER BY pid;
CREATE OR REPLACE TABLE "${result}_sizes" AS
    SELECT CASE WHEN getvariable('leads') THEN getvariable('ids') ELSE getvariable('peer_ids') END AS host_ids,
           CASE WHEN getvariable('leads') THEN getvariable('peer_ids') ELSE getvariable('ids') END AS guest_ids,
           getvariable('both_ids') AS both_ids, getvariable('ids') + getvariable('peer_ids') - getvariable('both_ids') AS union_ids;

-- summary
SELECT count(*) AS rows, count(*) - count(psi_id) AS without_id,
       count(DISTINCT psi_id) AS distinct_ids, count(psi_id) - count(DISTINCT psi_id) AS repeated,
       getvariable('peer_ids') AS peer_ids, getvariable('both_ids') AS both_ids
FROM private_id_here;
