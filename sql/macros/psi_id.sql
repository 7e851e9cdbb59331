-- JSON carries an id of any type with its exact text to the function, lists included.
CREATE MACRO psi_id(value, kind := 'raw') AS
    duckpriv_udf_psi_id(CAST(to_json([value]) AS VARCHAR), typeof(value), kind);
