-- unnest() of a struct takes it apart field by field: the subquery keeps that from making a key each.
CREATE MACRO rsa_keygen(name, bits := 3072) AS TABLE
    WITH made AS MATERIALIZED (SELECT duckpriv_udf_rsa_keygen(name, bits) AS key)
    SELECT unnest(key) FROM made;
