CREATE MACRO he_pack(cts, key, slot_bits := 128) AS duckpriv_udf_he_pack(cts, key, slot_bits);

CREATE MACRO he_add_plain(ct, x, key) AS duckpriv_udf_he_add_plain(ct, duckpriv.main.exact_double(x), key);

CREATE MACRO he_mul(ct, x, key, scale := 0, bound := 31) AS
    duckpriv_udf_he_mul(ct, duckpriv.main.exact_double(x), key, scale, bound);

-- Steps of one statement: a ciphertext's handle, which can be in many rows; the handle of a sum; and a sum to keep. What the functions are told of the
-- statement tells it from all others of the connection.
CREATE MACRO duckpriv_he_handle(ct, key) AS
    duckpriv_udf_he_stage(ct, key, system.main.current_connection_id(), system.main.current_query_id(), system.main.epoch_us(system.main.now()));

CREATE MACRO duckpriv_he_part(handle, key) AS
    duckpriv_udf_he_part(list(handle), key, system.main.current_connection_id(), system.main.current_query_id(), system.main.epoch_us(system.main.now()));

CREATE MACRO duckpriv_he_sum_of(handle, key) AS
    duckpriv_udf_he_sum(list(handle), key, system.main.current_connection_id(), system.main.current_query_id(), system.main.epoch_us(system.main.now()));

CREATE MACRO he_sum(ct, key) AS duckpriv.main.duckpriv_he_sum_of(duckpriv.main.duckpriv_he_handle(ct, key), key);

CREATE MACRO he_dot(cts, xs, key, scale := 0, bound := 31) AS
    duckpriv_udf_he_dot(cts, duckpriv.main.exact_doubles(xs), key, scale, bound);

CREATE MACRO he_share_split(ct, key, sigma := 64) AS duckpriv_udf_he_share_split(ct, key, sigma);

-- row and x of the plain table, row and ct of the encrypted one, which is in memory once for each 4,096 rows.
CREATE MACRO duckpriv_product_blocks(plain_table, encrypted_table) AS TABLE
    SELECT rows, xs, coalesce((SELECT list(ct ORDER BY row ASC) FROM query_table(encrypted_table)), []::BLOB[]) AS cts
    FROM (SELECT list(row) AS rows, list(duckpriv.main.exact_doubles(x)) AS xs
          FROM query_table(plain_table) GROUP BY row // 4096);

CREATE MACRO he_matmul(plain_table, encrypted_table, key, scale := 20, bound := 30) AS TABLE
    SELECT unnest(rows) AS row, unnest(duckpriv_udf_he_matmul(cts, xs, key, scale, bound)) AS ct
    FROM duckpriv.main.duckpriv_product_blocks(plain_table, encrypted_table);

-- The same, split into shares.
CREATE MACRO he_matmul_split(plain_table, encrypted_table, key, scale := 20, bound := 30, sigma := 64) AS TABLE
    SELECT unnest(rows) AS row, unnest(duckpriv_udf_he_matmul_split(cts, xs, key, scale, bound, sigma)) AS s
    FROM duckpriv.main.duckpriv_product_blocks(plain_table, encrypted_table);

-- A row without its row in the other table is an error.
CREATE MACRO he_weighted_sums(encrypted_table, plain_table, key, scale := 20, bound := 30, first := 0) AS TABLE
    SELECT generate_subscripts(sums, 1) AS feature, unnest(sums) AS ct
    FROM (SELECT duckpriv_udf_he_weighted_sums(list(ct ORDER BY row ASC), list(duckpriv.main.exact_doubles(x) ORDER BY row ASC),
                                               key, scale, bound, first) AS sums
          FROM query_table(encrypted_table) FULL JOIN query_table(plain_table) USING (row));
