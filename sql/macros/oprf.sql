CREATE MACRO oprf_keygen(name) AS TABLE
    WITH made AS MATERIALIZED (SELECT duckpriv_udf_oprf_keygen(name) AS key)
    SELECT unnest(key) FROM made;

-- Every function that takes an id takes it through psi_id: one text form everywhere.
CREATE MACRO oprf_blind(id, key) AS duckpriv_udf_oprf_blind(duckpriv.main.psi_id(id), key);

CREATE MACRO oprf_token(id, key) AS duckpriv_udf_oprf_token(duckpriv.main.psi_id(id), key);

CREATE MACRO dh_mask(id, key) AS duckpriv_udf_dh_mask(duckpriv.main.psi_id(id), key);

CREATE MACRO dh_remask(masked, key, old := '') AS duckpriv_udf_dh_remask(masked, key, old);
