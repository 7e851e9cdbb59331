-- Every function that takes an id takes it through psi_id: one text form everywhere.
CREATE MACRO rsa_blind(id, key) AS duckpriv_udf_rsa_blind(duckpriv.main.psi_id(id), key);

CREATE MACRO rsa_finalize(id, signed, key) AS duckpriv_udf_rsa_finalize(duckpriv.main.psi_id(id), signed, key);

CREATE MACRO rsa_token(id, key) AS duckpriv_udf_rsa_token(duckpriv.main.psi_id(id), key);
