CREATE MACRO random_id(value) AS
    CAST(duckpriv_udf_random_id(CASE WHEN value IS NOT NULL THEN true END) AS UUID);
