CREATE MACRO key_import(name, key, proof := NULL) AS
    duckpriv_udf_key_import(name, key, coalesce(CAST(proof AS BLOB), ''::BLOB));
