-- Casts: a literal 1.5 is a DECIMAL, and the functions take DOUBLE.
CREATE MACRO paillier_keygen(name, bits := 3072) AS TABLE
    WITH made AS MATERIALIZED (SELECT duckpriv_udf_paillier_keygen(name, bits) AS key)
    SELECT unnest(key) FROM made;

CREATE MACRO paillier_encrypt(x, key, scale := 20, bound := 51) AS
    duckpriv_udf_paillier_encrypt(duckpriv.main.exact_double(x), key, scale, bound);

CREATE MACRO paillier_encrypt_list(xs, key, scale := 20, bound := 51, slot_bits := 192) AS
    duckpriv_udf_paillier_encrypt_list(duckpriv.main.exact_doubles(xs), key, scale, bound, slot_bits);
