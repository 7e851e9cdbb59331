-- Arrow has no UHUGEINT: such numbers go to Python and back as text.
CREATE MACRO wide_encode(elements) AS duckpriv_udf_wide_encode(CAST(CAST(elements AS UHUGEINT[]) AS VARCHAR[]));

CREATE MACRO wide_decode(vector) AS CAST(duckpriv_udf_wide_decode(vector) AS UHUGEINT[]);

CREATE MACRO wide_split(numbers) AS duckpriv_udf_wide_split(CAST(CAST(numbers AS HUGEINT[]) AS VARCHAR[]));

CREATE MACRO he_share_split_wide(ct, key, sigma := 64) AS duckpriv_udf_he_share_split_wide(ct, key, sigma);

CREATE MACRO integer_moments(tbl, scale := 20) AS TABLE
    SELECT 1 + (place - 1) // width AS row, 1 + (place - 1) % width AS "column", CAST(sum(total) AS HUGEINT) AS total
    FROM (SELECT width, generate_subscripts(totals, 1) AS place, unnest(totals) AS total
          FROM (SELECT max(len(x)) AS width,
                       CAST(duckpriv_udf_integer_moments(list(duckpriv.main.exact_doubles(x)), CAST(scale AS BIGINT)) AS HUGEINT[]) AS totals
                FROM query_table(tbl) GROUP BY row // 32768))
    GROUP BY place, width ORDER BY place ASC;
