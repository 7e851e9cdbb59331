CREATE MACRO require(condition, message) AS
    duckpriv_udf_require(coalesce(condition, false), message);
