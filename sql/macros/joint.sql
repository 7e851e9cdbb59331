CREATE MACRO joint_modulus(bits := 3072) AS TABLE
    SELECT duckpriv_udf_joint_modulus(bits) AS modulus;

CREATE MACRO joint_keygen(name, modulus := 'rsa-2048') AS TABLE
    WITH made AS MATERIALIZED (SELECT duckpriv_udf_joint_keygen(name, modulus) AS key)
    SELECT unnest(key) FROM made;

CREATE MACRO joint_encrypt(x, key, scale := 20, bound := 51) AS
    duckpriv_udf_joint_encrypt(duckpriv.main.exact_double(x), key, scale, bound);

CREATE MACRO joint_encrypt_list(xs, key, scale := 20, bound := 51, slot_bits := 128) AS
    duckpriv_udf_joint_encrypt_list(duckpriv.main.exact_doubles(xs), key, scale, bound, slot_bits);

-- CASE, not coalesce: on DuckDB 1.5 coalesce(function returning BLOB, …) gives other bytes.
CREATE MACRO joint_decrypt(ct, key, mask := NULL) AS
    duckpriv_udf_joint_decrypt(ct, key, CASE WHEN mask IS NULL THEN ''::BLOB ELSE mask END);

CREATE MACRO joint_decrypt_list(ct, key, mask := NULL) AS
    duckpriv_udf_joint_decrypt_list(ct, key, CASE WHEN mask IS NULL THEN ''::BLOB ELSE mask END);
