CREATE MACRO noise_integer(x, scale) AS duckpriv_udf_noise_integer(x, CAST(scale AS DOUBLE));
