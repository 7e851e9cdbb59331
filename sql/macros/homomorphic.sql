CREATE MACRO he_pack(cts, key, slot_bits := 128) AS duckpriv_udf_he_pack(cts, key, slot_bits);

CREATE MACRO he_add_plain(ct, x, key) AS duckpriv_udf_he_add_plain(ct, duckpriv.main.exact_double(x), key);

CREATE MACRO he_mul(ct, x, key, scale := 0, bound := 31) AS
    duckpriv_udf_he_mul(ct, duckpriv.main.exact_double(x), key, scale, bound);

CREATE MACRO he_sum(ct, key) AS
    duckpriv_udf_he_sum(list(ct) FILTER (ct IS NOT NULL), key);

CREATE MACRO he_dot(cts, xs, key, scale := 0, bound := 31) AS
    duckpriv_udf_he_dot(cts, duckpriv.main.exact_doubles(xs), key, scale, bound);

CREATE MACRO he_share_split(ct, key, sigma := 64) AS duckpriv_udf_he_share_split(ct, key, sigma);

-- row and x of the plain table, row and ct of the encrypted one.
CREATE MACRO he_matmul(plain_table, encrypted_table, key, scale := 20, bound := 30) AS TABLE
    SELECT row, duckpriv.main.he_dot(
               (SELECT list(ct ORDER BY row ASC) FROM query_table(encrypted_table)), x, key,
               scale := scale, bound := bound) AS ct
    FROM query_table(plain_table);

-- The same, split into shares.
CREATE MACRO he_matmul_split(plain_table, encrypted_table, key, scale := 20, bound := 30, sigma := 64) AS TABLE
    SELECT row, duckpriv_udf_he_dot_split(
               (SELECT list(ct ORDER BY row ASC) FROM query_table(encrypted_table)), duckpriv.main.exact_doubles(x), key,
               scale, bound, sigma) AS s
    FROM query_table(plain_table);

-- A row without its row in the other table is an error.
CREATE MACRO he_weighted_sums(encrypted_table, plain_table, key, scale := 20, bound := 30) AS TABLE
    SELECT generate_subscripts(sums, 1) AS feature, unnest(sums) AS ct
    FROM (SELECT duckpriv_udf_he_weighted_sums(list(ct ORDER BY row ASC), list(duckpriv.main.exact_doubles(x) ORDER BY row ASC),
                                               key, scale, bound) AS sums
          FROM query_table(encrypted_table) FULL JOIN query_table(plain_table) USING (row));
