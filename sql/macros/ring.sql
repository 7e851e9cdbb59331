-- Literals are INTEGER lists, and the functions take UBIGINT.
CREATE MACRO ring_encode(xs, scale := 20) AS duckpriv_udf_ring_encode(duckpriv.main.exact_doubles(xs), scale);

CREATE MACRO ring_decode(a, scale := 20) AS duckpriv_udf_ring_decode(duckpriv.main.duckpriv_elements(a), scale);

CREATE MACRO ring_add(a, b) AS duckpriv_udf_ring_add(duckpriv.main.duckpriv_elements(a), duckpriv.main.duckpriv_elements(b));

CREATE MACRO ring_sub(a, b) AS duckpriv_udf_ring_sub(duckpriv.main.duckpriv_elements(a), duckpriv.main.duckpriv_elements(b));

CREATE MACRO ring_mul(a, b) AS duckpriv_udf_ring_mul(duckpriv.main.duckpriv_elements(a), duckpriv.main.duckpriv_elements(b));

CREATE MACRO ring_scale(a, factor) AS duckpriv_udf_ring_scale(duckpriv.main.duckpriv_elements(a), duckpriv.main.duckpriv_factor(factor));

CREATE MACRO ring_matvec(matrix, vector) AS
    duckpriv_udf_ring_matvec(duckpriv.main.duckpriv_elements(matrix), duckpriv.main.duckpriv_elements(vector));

CREATE MACRO ring_vecmat(vector, matrix) AS
    duckpriv_udf_ring_vecmat(duckpriv.main.duckpriv_elements(vector), duckpriv.main.duckpriv_elements(matrix));

CREATE MACRO ring_shift(a, bits) AS duckpriv_udf_ring_shift(duckpriv.main.duckpriv_elements(a), bits);

-- The sum of vectors of one length.
CREATE MACRO ring_sum(a) AS duckpriv_udf_ring_sum(list(duckpriv.main.duckpriv_elements(a)) FILTER (a IS NOT NULL));

CREATE MACRO share_truncate(opened, shifted, tops, bits, leads) AS duckpriv_udf_share_truncate(
    duckpriv.main.duckpriv_elements(opened), duckpriv.main.duckpriv_elements(shifted), duckpriv.main.duckpriv_elements(tops), bits, leads);

CREATE MACRO helper_activation(z, kind := 'logistic', scale := 20, with_loss := true) AS
    duckpriv_udf_helper_activation(duckpriv.main.duckpriv_elements(z), kind, scale, with_loss);

-- X^T·(e + what the others opened of e): a party's own part of the gradient of its features.
CREATE MACRO lr_shared_gradient(x, residual, opened) AS duckpriv.main.ring_vecmat(duckpriv.main.ring_add(residual, opened), x);
