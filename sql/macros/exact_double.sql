-- A value of these types is a DOUBLE by a cast; of others it depends on the value, and is looked at as a text. A wide
-- DECIMAL, too, becomes the nearest DOUBLE from its text only: DuckDB's own cast rounds twice. TRY, as 1.5 casts a constant
-- of any other type, too.
CREATE MACRO duckpriv_exact_double(x, what) AS
    CASE WHEN regexp_matches(typeof(x), '^(BOOLEAN|FLOAT|DOUBLE|U?(TINY|SMALL)INT|U?INTEGER|DECIMAL\((\d|1[0-5]),\d+\)|"NULL")$')
              OR (typeof(x) = 'BIGINT' AND TRY_CAST(x AS BIGINT) BETWEEN -9007199254740992 AND 9007199254740992)
         THEN TRY_CAST(x AS DOUBLE)
         ELSE duckpriv_udf_exact_double(TRY_CAST(x AS VARCHAR), typeof(x), what) END;

-- alias() of a column is its name, which errors then tell; of other expressions it may hold numbers.
CREATE MACRO duckpriv_what(name, otherwise) AS
    CASE WHEN regexp_matches(name, '^[-+.0-9]|[(\[''$]') THEN otherwise ELSE 'column "' || name || '"' END;

CREATE MACRO exact_double(x) AS duckpriv.main.duckpriv_exact_double(x, duckpriv.main.duckpriv_what(alias(x), 'a value'));

-- As texts also because nothing else of what may be no list would bind.
CREATE MACRO duckpriv_exact_doubles(xs, what) AS
    CASE WHEN regexp_matches(typeof(xs), '^((BOOLEAN|FLOAT|DOUBLE|U?(TINY|SMALL)INT|U?INTEGER|DECIMAL\((\d|1[0-5]),\d+\)|"NULL")\[\d*\]|"NULL")$')
         THEN TRY_CAST(xs AS DOUBLE[])
         ELSE duckpriv_udf_exact_doubles(TRY_CAST(xs AS VARCHAR[]), typeof(xs), what) END;

CREATE MACRO exact_doubles(xs) AS duckpriv.main.duckpriv_exact_doubles(xs, duckpriv.main.duckpriv_what(alias(xs), 'a list'));

-- Of a column, whose name errors then tell.
CREATE MACRO duckpriv_exact_column(x) AS duckpriv.main.duckpriv_exact_double(x, 'column "' || alias(x) || '"');

CREATE MACRO duckpriv_exact_lists(xs) AS duckpriv.main.duckpriv_exact_doubles(xs, 'column "' || alias(xs) || '"');

-- Shares and factors are whole numbers; a cast would round a fraction.
CREATE MACRO duckpriv_element(x) AS
    CASE WHEN x IS NULL OR TRY_CAST(x AS UBIGINT) = x THEN TRY_CAST(x AS UBIGINT)
         ELSE CAST(error('DUCKPRIV_INVALID_VALUE: a share is a whole number from 0 to 2^64 - 1') AS UBIGINT) END;

CREATE MACRO duckpriv_factor(x) AS
    CASE WHEN x IS NULL OR TRY_CAST(x AS BIGINT) = x THEN TRY_CAST(x AS BIGINT)
         ELSE CAST(error('DUCKPRIV_INVALID_VALUE: the factor has to be a whole number of 64 bits') AS BIGINT) END;
