-- The functions look at the types of vectors themselves: a macro that did would repeat its argument.
CREATE MACRO ring_encode(xs, scale := 20) AS duckpriv_udf_ring_encode(duckpriv.main.exact_doubles(xs), scale);

CREATE MACRO ring_decode(a, scale := 20) AS duckpriv_udf_ring_decode(a, scale);

CREATE MACRO ring_scale(a, factor) AS duckpriv_udf_ring_scale(a, duckpriv.main.duckpriv_factor(factor));

-- The sum of vectors of one length.
CREATE MACRO ring_sum(a) AS duckpriv_udf_ring_sum(list(a) FILTER (a IS NOT NULL));

CREATE MACRO helper_activation(z, kind := 'logistic', scale := 20, with_loss := true) AS
    duckpriv_udf_helper_activation(z, kind, scale, with_loss);

-- X^T·(e + what the others opened of e): a party's own part of the gradient of its features.
CREATE MACRO lr_shared_gradient(x, residual, opened) AS duckpriv_udf_ring_vecmat(duckpriv_udf_ring_add(residual, opened), x);
