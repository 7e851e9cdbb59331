-- Casts: a literal 1.5 is a DECIMAL, and the functions take DOUBLE.
CREATE MACRO paillier_keygen(name, bits := 3072) AS TABLE
    WITH made AS MATERIALIZED (SELECT duckpriv_udf_paillier_keygen(name, bits) AS key)
    SELECT unnest(key) FROM made;

CREATE MACRO paillier_encrypt(x, key, scale := 20, bound := 51) AS
    duckpriv_udf_paillier_encrypt(CAST(x AS DOUBLE), key, scale, bound);

CREATE MACRO paillier_encrypt_list(xs, key, scale := 20, bound := 51, slot_bits := 192) AS
    duckpriv_udf_paillier_encrypt_list(CAST(xs AS DOUBLE[]), key, scale, bound, slot_bits);

CREATE MACRO he_add_plain(ct, x) AS duckpriv_udf_he_add_plain(ct, CAST(x AS DOUBLE));

CREATE MACRO he_mul(ct, x, scale := 0, bound := 31) AS
    duckpriv_udf_he_mul(ct, CAST(x AS DOUBLE), scale, bound);

CREATE MACRO he_sum(ct) AS
    duckpriv_udf_he_sum(list(ct) FILTER (ct IS NOT NULL));

CREATE MACRO he_dot(cts, xs, scale := 0, bound := 31) AS
    duckpriv_udf_he_dot(cts, CAST(xs AS DOUBLE[]), scale, bound);

CREATE MACRO he_share_split(ct, sigma := 64) AS duckpriv_udf_he_share_split(ct, sigma);
