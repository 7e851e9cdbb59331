CREATE MACRO seed_keygen(name) AS TABLE
    WITH made AS MATERIALIZED (SELECT duckpriv_udf_seed_keygen(name) AS key)
    SELECT unnest(key) FROM made;

CREATE MACRO batch_key(value, seed, epoch) AS duckpriv_udf_batch_key(CAST(value AS VARCHAR), seed, epoch);

-- In each epoch the rows are sorted by the keyed function, and cut into batches of equal size, give or take one.
CREATE MACRO batch_select(tbl, seed, iteration, size) AS TABLE
    SELECT row_number() OVER (ORDER BY place ASC) AS position, pid
    FROM (SELECT pid, row_number() OVER (ORDER BY duckpriv.main.batch_key(pid, seed, (iteration - 1) // batches) ASC) AS place,
                 rows, batches
          FROM query_table(tbl),
               (SELECT count(*) AS rows, greatest(CAST(ceil(CAST(count(*) AS DOUBLE) / CASE
                           WHEN size >= 1 AND iteration >= 1 THEN size
                           ELSE error('DUCKPRIV_INVALID_VALUE: iteration and size have to be 1 at least') END) AS BIGINT), 1) AS batches
                FROM query_table(tbl)))
    WHERE (place - 1) * batches // rows = (iteration - 1) % batches;
