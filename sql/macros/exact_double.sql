-- A decimal number that no DOUBLE is exactly, 0.1, is as exact as it can be where the DOUBLE's shortest text has the same
-- digits. From its text it becomes the nearest DOUBLE; DuckDB's own cast of a wide DECIMAL is rounded twice.
CREATE MACRO duckpriv_digits(text) AS trim(replace(replace(split_part(text, 'e', 1), '-', ''), '.', ''), '0');

CREATE MACRO duckpriv_exact_text(text, type, what) AS
    CASE WHEN text IS NULL
              OR CASE WHEN starts_with(type, 'DECIMAL')
                      THEN duckpriv.main.duckpriv_digits(text) = duckpriv.main.duckpriv_digits(CAST(CAST(text AS DOUBLE) AS VARCHAR))
                      ELSE text IN (CAST(TRY_CAST(CAST(text AS DOUBLE) AS HUGEINT) AS VARCHAR),
                                    CAST(TRY_CAST(CAST(text AS DOUBLE) AS UHUGEINT) AS VARCHAR)) END
         THEN CAST(text AS DOUBLE)
         ELSE CAST(error('DUCKPRIV_INVALID_VALUE: ' || what || ' of type ' || type || ' has a number that is not exact as a DOUBLE '
                         || '(an integer beyond 2^53, or a DECIMAL of more than 15 digits); split it, round it, or subtract or '
                         || 'divide by something first') AS DOUBLE) END;

-- Whether each value of a type has a DOUBLE: 1 yes, 0 what depends on the value, NULL no number.
CREATE MACRO duckpriv_exact_type(type) AS
    CASE WHEN regexp_matches(type, '^(BOOLEAN|FLOAT|DOUBLE|U?(TINY|SMALL)INT|U?INTEGER|DECIMAL\(([0-9]|1[0-5]),\d+\)|"NULL")$') THEN 1
         WHEN regexp_matches(type, '^(U?BIGINT|U?HUGEINT|DECIMAL\(\d+,\d+\))$') THEN 0 END;

CREATE MACRO duckpriv_exact_double(x, what) AS
    CASE WHEN duckpriv.main.duckpriv_exact_type(typeof(x)) = 1
              OR (typeof(x) = 'BIGINT' AND TRY_CAST(x AS BIGINT) BETWEEN -9007199254740992 AND 9007199254740992)
         THEN CAST(x AS DOUBLE)
         WHEN duckpriv.main.duckpriv_exact_type(typeof(x)) = 0
         THEN duckpriv.main.duckpriv_exact_text(CAST(x AS VARCHAR), typeof(x), what)
         ELSE CAST(error('DUCKPRIV_INVALID_VALUE: ' || what || ' has type ' || left(typeof(x), 60) || ', which is no number; cast it to '
                         || 'one, or leave it out') AS DOUBLE) END;

CREATE MACRO exact_double(x) AS duckpriv.main.duckpriv_exact_double(x, 'a value');

-- By way of texts: to look into something that may be no list does not bind.
CREATE MACRO duckpriv_exact_doubles(xs, what) AS
    CASE WHEN duckpriv.main.duckpriv_exact_type(regexp_replace(typeof(xs), '\[\d*\]$', '')) = 1
              AND (typeof(xs) LIKE '%]' OR typeof(xs) = '"NULL"')
         THEN CAST(xs AS DOUBLE[])
         WHEN duckpriv.main.duckpriv_exact_type(regexp_replace(typeof(xs), '\[\d*\]$', '')) = 0 AND typeof(xs) LIKE '%]'
         THEN list_transform(CAST(xs AS VARCHAR[]), lambda text:
                  duckpriv.main.duckpriv_exact_text(text, typeof(xs), what))
         ELSE CAST(error('DUCKPRIV_INVALID_VALUE: ' || what || ' has type ' || left(typeof(xs), 60) || ', which is no list of numbers; '
                         || 'cast it to DOUBLE[]') AS DOUBLE[]) END;

CREATE MACRO exact_doubles(xs) AS duckpriv.main.duckpriv_exact_doubles(xs, 'a list');

-- The text of an expression that is a column's value as a DOUBLE; its errors name the column.
CREATE MACRO duckpriv_exact_column(name) AS
    'duckpriv.main.duckpriv_exact_double("' || replace(name, '"', '""') || '", ''column "'
    || replace(name, '''', '''''') || '"'')';
