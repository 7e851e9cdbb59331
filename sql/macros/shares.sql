-- Shares are elements of Z_2^64. DuckDB's UBIGINT does not wrap around, so sums are taken in
-- wider integers and reduced.
CREATE MACRO share_split(x, scale := 20) AS
    duckpriv_udf_share_split(duckpriv.main.exact_double(x), scale);

CREATE MACRO share_split_list(xs, scale := 20) AS
    duckpriv_udf_share_split_list(duckpriv.main.exact_doubles(xs), scale);

CREATE MACRO share_add(a, b) AS
    CAST((CAST(duckpriv.main.duckpriv_element(a) AS UHUGEINT) + duckpriv.main.duckpriv_element(b)) % 18446744073709551616 AS UBIGINT);

CREATE MACRO share_sub(a, b) AS
    CAST((CAST(duckpriv.main.duckpriv_element(a) AS UHUGEINT) + 18446744073709551616 - duckpriv.main.duckpriv_element(b))
         % 18446744073709551616 AS UBIGINT);

CREATE MACRO share_sum(share) AS
    CAST(sum(duckpriv.main.duckpriv_element(share)) % 18446744073709551616 AS UBIGINT);

-- A negative factor k stands for k + 2^64.
CREATE MACRO share_mul_public(share, factor) AS
    CAST(CAST(duckpriv.main.duckpriv_element(share) AS UHUGEINT)
         * CAST((CAST(duckpriv.main.duckpriv_factor(factor) AS HUGEINT) + 18446744073709551616) % 18446744073709551616 AS UHUGEINT)
         % 18446744073709551616 AS UBIGINT);

-- Two's complement: 2^63 and more is negative. By way of BIGINT: a HUGEINT becomes a DOUBLE in two
-- halves, and is rounded twice.
CREATE MACRO share_reveal(a, b, scale := 20) AS
    CASE WHEN scale NOT BETWEEN 0 AND 1023
         THEN CAST(error('DUCKPRIV_INVALID_VALUE: the scale is ' || scale || '; use 0 to 1023 fractional bits') AS DOUBLE)
         ELSE CAST(CAST((CAST(duckpriv.main.duckpriv_element(a) AS HUGEINT) + duckpriv.main.duckpriv_element(b) + 9223372036854775808)
                        % 18446744073709551616 - 9223372036854775808 AS BIGINT) AS DOUBLE) / power(2, scale) END;
