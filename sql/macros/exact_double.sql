CREATE MACRO exact_double(x) AS
    CASE WHEN typeof(x) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT')
              AND TRY_CAST(CAST(x AS DOUBLE) AS HUGEINT) IS DISTINCT FROM TRY_CAST(x AS HUGEINT)
         THEN CAST(error('DUCKPRIV_INVALID_VALUE: an integer is beyond 2^53 and not exact as a DOUBLE; split it, or '
                         || 'subtract or divide by something first') AS DOUBLE)
         ELSE CAST(x AS DOUBLE) END;

CREATE MACRO exact_doubles(xs) AS
    CASE WHEN typeof(xs) IN ('BIGINT[]', 'UBIGINT[]', 'HUGEINT[]', 'UHUGEINT[]')
         THEN list_transform(xs, lambda x: duckpriv.main.exact_double(x)) ELSE CAST(xs AS DOUBLE[]) END;
