CREATE MACRO he_pack(cts, slot_bits := 128) AS duckpriv_udf_he_pack(cts, slot_bits);

CREATE MACRO he_add_plain(ct, x) AS duckpriv_udf_he_add_plain(ct, CAST(x AS DOUBLE));

CREATE MACRO he_mul(ct, x, scale := 0, bound := 31) AS
    duckpriv_udf_he_mul(ct, CAST(x AS DOUBLE), scale, bound);

CREATE MACRO he_sum(ct) AS
    duckpriv_udf_he_sum(list(ct) FILTER (ct IS NOT NULL));

CREATE MACRO he_dot(cts, xs, scale := 0, bound := 31) AS
    duckpriv_udf_he_dot(cts, CAST(xs AS DOUBLE[]), scale, bound);

CREATE MACRO he_share_split(ct, sigma := 64) AS duckpriv_udf_he_share_split(ct, sigma);

-- row and x of the plain table, row and ct of the encrypted one.
CREATE MACRO he_matmul(plain_table, encrypted_table, scale := 20, bound := 40) AS TABLE
    SELECT row, duckpriv.main.he_dot(
               (SELECT list(ct ORDER BY row) FROM query_table(encrypted_table)), x,
               scale := scale, bound := bound) AS ct
    FROM query_table(plain_table);
