-- Whether a number passes 2^53 and is no DOUBLE. A HUGEINT ends at 2^127.
CREATE MACRO duckpriv_beyond_double(x) AS
    x IS NOT NULL AND abs(TRY_CAST(x AS DOUBLE)) >= 9007199254740992
    AND (typeof(x) <> 'VARCHAR' OR regexp_full_match(CAST(x AS VARCHAR), '\s*[-+]?[0-9]+\s*'))
    AND (TRY_CAST(x AS HUGEINT) IS NULL
         OR TRY_CAST(TRY_CAST(x AS DOUBLE) AS HUGEINT) IS DISTINCT FROM TRY_CAST(x AS HUGEINT));

-- alias() of a column is its name; of other expressions it may hold numbers.
CREATE MACRO duckpriv_no_double(name) AS CAST(error(
    'DUCKPRIV_INVALID_VALUE: an integer is beyond 2^53 and not exact as a DOUBLE'
    || CASE WHEN regexp_matches(name, '^[-+.0-9]|[(\[''$]') THEN '' ELSE ' in ' || name END
    || '; split it, or subtract or divide by something first') AS DOUBLE);

CREATE MACRO exact_double(x) AS
    CASE WHEN regexp_matches(typeof(x), '^(U?(BIG|HUGE)INT|BIGNUM|VARCHAR|DECIMAL\(.*\))$') AND duckpriv.main.duckpriv_beyond_double(x)
         THEN duckpriv.main.duckpriv_no_double(alias(x)) ELSE CAST(x AS DOUBLE) END;

CREATE MACRO exact_doubles(xs) AS
    CASE WHEN regexp_matches(typeof(xs), '^(U?(BIG|HUGE)INT|BIGNUM|VARCHAR|DECIMAL\(.*\))\[[0-9]*\]$')
              AND len(list_filter(CAST(xs AS VARCHAR[]), lambda x: duckpriv.main.duckpriv_beyond_double(x))) > 0
         THEN [duckpriv.main.duckpriv_no_double(alias(xs))] ELSE CAST(xs AS DOUBLE[]) END;

-- Shares and factors are whole numbers; a cast would round a fraction.
CREATE MACRO duckpriv_element(x) AS
    CASE WHEN x IS NULL OR TRY_CAST(x AS UBIGINT) = x THEN TRY_CAST(x AS UBIGINT)
         ELSE CAST(error('DUCKPRIV_INVALID_VALUE: a share is a whole number from 0 to 2^64 - 1') AS UBIGINT) END;

CREATE MACRO duckpriv_elements(xs) AS
    CASE WHEN regexp_matches(typeof(xs), '^(DOUBLE|FLOAT|VARCHAR|DECIMAL\(.*\))\[[0-9]*\]$')
         THEN [CAST(error('DUCKPRIV_INVALID_VALUE: a list of shares has whole numbers from 0 to 2^64 - 1, and no ' || typeof(xs)
                          || '; ring_encode makes them of numbers') AS UBIGINT)]
         ELSE CAST(xs AS UBIGINT[]) END;

CREATE MACRO duckpriv_factor(x) AS
    CASE WHEN x IS NULL OR TRY_CAST(x AS BIGINT) = x THEN TRY_CAST(x AS BIGINT)
         ELSE CAST(error('DUCKPRIV_INVALID_VALUE: the factor has to be a whole number of 64 bits') AS BIGINT) END;
