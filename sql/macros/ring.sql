-- Casts: literals are INTEGER lists, and the functions take UBIGINT.
CREATE MACRO ring_encode(xs, scale := 20) AS duckpriv_udf_ring_encode(duckpriv.main.exact_doubles(xs), scale);

CREATE MACRO ring_decode(a, scale := 20) AS duckpriv_udf_ring_decode(CAST(a AS UBIGINT[]), scale);

CREATE MACRO ring_add(a, b) AS duckpriv_udf_ring_add(CAST(a AS UBIGINT[]), CAST(b AS UBIGINT[]));

CREATE MACRO ring_sub(a, b) AS duckpriv_udf_ring_sub(CAST(a AS UBIGINT[]), CAST(b AS UBIGINT[]));

CREATE MACRO ring_mul(a, b) AS duckpriv_udf_ring_mul(CAST(a AS UBIGINT[]), CAST(b AS UBIGINT[]));

CREATE MACRO ring_scale(a, factor) AS duckpriv_udf_ring_scale(CAST(a AS UBIGINT[]), CAST(factor AS BIGINT));

CREATE MACRO ring_matvec(matrix, vector) AS
    duckpriv_udf_ring_matvec(CAST(matrix AS UBIGINT[]), CAST(vector AS UBIGINT[]));

CREATE MACRO ring_vecmat(vector, matrix) AS
    duckpriv_udf_ring_vecmat(CAST(vector AS UBIGINT[]), CAST(matrix AS UBIGINT[]));

CREATE MACRO ring_shift(a, bits) AS duckpriv_udf_ring_shift(CAST(a AS UBIGINT[]), bits);

-- The sum of vectors of one length.
CREATE MACRO ring_sum(a) AS duckpriv_udf_ring_sum(list(CAST(a AS UBIGINT[])) FILTER (a IS NOT NULL));

CREATE MACRO share_truncate(opened, shifted, tops, bits, leads) AS duckpriv_udf_share_truncate(
    CAST(opened AS UBIGINT[]), CAST(shifted AS UBIGINT[]), CAST(tops AS UBIGINT[]), bits, leads);

CREATE MACRO helper_activation(z, kind := 'logistic', scale := 20) AS
    duckpriv_udf_helper_activation(CAST(z AS UBIGINT[]), kind, scale);

-- X^T·(e + what the others opened of e): a party's own part of the gradient of its features.
CREATE MACRO lr_shared_gradient(x, residual, opened) AS duckpriv.main.ring_vecmat(duckpriv.main.ring_add(residual, opened), x);
