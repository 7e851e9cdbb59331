CREATE MACRO paillier_encrypt_measures(x, place, groups, key, bound := 40, slot_bits := 166) AS
    duckpriv_udf_paillier_encrypt_measures(CAST(x AS BIGINT[]), place, groups, key, bound, slot_bits);

-- Types of measures, with DECIMAL and at most 18 decimals, and those whose values are as different as their texts.
CREATE MACRO duckpriv_is_number_type(type) AS
    regexp_full_match(type, 'BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(([1-9]|[12][0-9]|3[0-8]),([0-9]|1[0-8])\)|FLOAT|DOUBLE');
CREATE MACRO duckpriv_is_group_type(type) AS
    duckpriv.main.duckpriv_is_number_type(type) OR regexp_full_match(type, 'DECIMAL\(([1-9]|[12][0-9]|3[0-8]),([0-9]|[12][0-9]|3[0-8])\)|VARCHAR|ENUM\(.*\)|DATE|TIME|TIMESTAMP|TIMESTAMP_S|TIMESTAMP_MS|UUID');

-- A column as whole numbers of 10^-scale, by its decimal text, and whether it is another number than that.
CREATE MACRO duckpriv_units_text(name, scale) AS
    'TRY_CAST(replace(CAST(TRY_CAST(' || name || ' AS DECIMAL(38, ' || scale || ')) AS VARCHAR), ''.'', '''') AS BIGINT)';
CREATE MACRO duckpriv_unfit_text(name, scale, type) AS
    name || ' IS NOT NULL AND coalesce(TRY_CAST(TRY_CAST(' || name || ' AS DECIMAL(38, ' || scale || ')) AS ' || type || ') <> ' || name
    || ' OR ' || duckpriv.main.duckpriv_units_text(name, scale) || ' IS NULL, true)';
CREATE MACRO duckpriv_listed(parts, type) AS '[' || coalesce(array_to_string(parts, ', '), '') || ']::' || type || '[]';

-- The text of the query that measure_rows runs.
CREATE MACRO duckpriv_measures_query(tbl, keys, groups, measures, types, scales) AS
    'SELECT ' || duckpriv.main.duckpriv_key_expression(keys) || ' AS id, '
    || duckpriv.main.duckpriv_listed(list_transform(groups, lambda g: 'CAST(' || duckpriv.main.duckpriv_quoted(g) || ' AS VARCHAR)'), 'VARCHAR') || ' AS labels, '
    || duckpriv.main.duckpriv_listed(list_transform(range(1, len(measures) + 1), lambda i:
           duckpriv.main.duckpriv_units_text(duckpriv.main.duckpriv_quoted(measures[i]), scales[i])), 'BIGINT') || ' AS x, '
    || duckpriv.main.duckpriv_listed(list_transform(range(1, len(measures) + 1), lambda i:
           duckpriv.main.duckpriv_unfit_text(duckpriv.main.duckpriv_quoted(measures[i]), scales[i], types[i])), 'BOOLEAN') || ' AS unfit FROM '
    || duckpriv.main.duckpriv_source(tbl);

CREATE MACRO measure_columns(tbl, names, decimals := 2) AS TABLE
    SELECT row_number() OVER () AS position, column_name AS name, column_type AS type,
           CASE WHEN NOT duckpriv.main.duckpriv_is_number_type(column_type)
                    THEN error('DUCKPRIV_INVALID_VALUE: the column "' || column_name || '" is of type ' || column_type || ', and a measure is a number with at most 18 decimals')
                WHEN column_type LIKE 'DECIMAL%' THEN CAST(regexp_extract(column_type, ',(\d+)', 1) AS BIGINT)
                WHEN column_type IN ('FLOAT', 'DOUBLE') THEN CAST(decimals AS BIGINT) ELSE 0 END AS scale
    FROM duckpriv.main.feature_columns(tbl, names, []::VARCHAR[]) JOIN duckpriv.main.table_columns(tbl) USING (column_name)
    WHERE trim(names) <> '';

CREATE MACRO measure_rows(tbl, id, groups, measures, types, scales) AS TABLE
    FROM query(duckpriv.main.duckpriv_measures_query(tbl, duckpriv.main.split_names(id), groups, measures, types, scales));

CREATE MACRO wide_element(x) AS
    CASE WHEN CAST(x AS HUGEINT) < 0 THEN 340282366920938463463374607431768211455::UHUGEINT - CAST(-(CAST(x AS HUGEINT) + 1) AS UHUGEINT) ELSE CAST(x AS UHUGEINT) END;

CREATE MACRO wide_integer(share) AS
    CASE WHEN share > 170141183460469231731687303715884105727::UHUGEINT
         THEN -CAST(340282366920938463463374607431768211455::UHUGEINT - share AS HUGEINT) - 1 ELSE CAST(share AS HUGEINT) END;

-- By halves: sums of UHUGEINT are DOUBLE, and this has to wrap.
CREATE MACRO wide_sum(share) AS
    CASE WHEN count(share) > 0 THEN
        CAST((sum(CAST(share >> 64 AS UBIGINT)) + sum(CAST(share & 18446744073709551615::UHUGEINT AS UBIGINT)) // 18446744073709551616)
             % 18446744073709551616 AS UHUGEINT) * 18446744073709551616
        + CAST(sum(CAST(share & 18446744073709551615::UHUGEINT AS UBIGINT)) % 18446744073709551616 AS UHUGEINT) END;

-- A row without its row in the other table is left out.
CREATE MACRO he_weighted_sums_by(encrypted_table, plain_table, key, scale := 0, bound := 41) AS TABLE
    SELECT place, generate_subscripts(sums, 1) AS feature, unnest(sums) AS ct
    FROM (SELECT place, duckpriv_udf_he_weighted_sums(list(ct), list(duckpriv.main.exact_doubles(x)), key, scale, bound, 0) AS sums
          FROM query_table(encrypted_table) JOIN query_table(plain_table) USING (row) GROUP BY place);

-- The day in the text of a DATE or TIMESTAMP.
CREATE MACRO duckpriv_day(text) AS CASE WHEN text NOT LIKE '%(BC)' THEN TRY_CAST(split_part(text, ' ', 1) AS DATE) END;
