-- CASE, not coalesce: on DuckDB 1.5 coalesce(function returning BLOB, …) gives other bytes.
CREATE MACRO key_import(name, key, kind, proof := NULL) AS
    duckpriv_udf_key_import(name, key, kind, CASE WHEN proof IS NULL THEN ''::BLOB ELSE proof END);

-- MATERIALIZED: also a count(*) needs it.
CREATE MACRO key_forget(name) AS TABLE
    WITH forgotten AS MATERIALIZED (SELECT duckpriv_udf_key_forget(name) AS name) FROM forgotten;
