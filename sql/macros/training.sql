-- Columns by the names that the table gives them, in the order of `columns`, or of the table.
CREATE MACRO feature_columns(tbl, columns, without) AS TABLE
    SELECT column_name
    FROM (SELECT *, duckpriv.main.duckpriv_folded(column_name) AS folded FROM duckpriv.main.table_columns(tbl)),
         (SELECT wanted, list_transform(wanted, lambda c: duckpriv.main.duckpriv_folded(c)) AS wanted_folded,
                 list_transform(without, lambda c: duckpriv.main.duckpriv_folded(c)) AS unwanted
          FROM (SELECT duckpriv.main.split_names(duckpriv.main.duckpriv_written(tbl, columns)) AS wanted)),
         (SELECT list(duckpriv.main.duckpriv_folded(column_name)) AS there, list(column_name ORDER BY position ASC) AS names
          FROM duckpriv.main.table_columns(tbl))
    WHERE CASE
        WHEN NOT list_has_all(there, wanted_folded)
            THEN error('DUCKPRIV_INVALID_VALUE: the table has no column "'
                       || list_filter(wanted, lambda c: NOT list_contains(there, duckpriv.main.duckpriv_folded(c)))[1] || '"; it has '
                       || array_to_string(names[:20], ', ') || CASE WHEN len(names) > 20 THEN ', …' ELSE '' END)
        WHEN list_has_any(wanted_folded, unwanted) OR len(list_distinct(wanted_folded)) < len(wanted_folded)
            THEN error('DUCKPRIV_INVALID_VALUE: a column cannot be named twice as a feature, nor be a feature if it is the id or the label: '
                       || array_to_string(list_filter(wanted, lambda c: list_contains(unwanted, duckpriv.main.duckpriv_folded(c))
                              OR len(list_filter(wanted_folded, lambda d: d = duckpriv.main.duckpriv_folded(c))) > 1), ', '))
        WHEN len(wanted) > 0 THEN list_contains(wanted_folded, folded)
        ELSE NOT list_contains(unwanted, folded)
             AND regexp_matches(column_type, '^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$') END
    ORDER BY list_position(wanted_folded, folded) ASC, position ASC;

-- A column of equal numbers has deviation 0, whatever rounding makes of it. Where squares are infinite or 0 though the
-- numbers differ, there is none. Mean and deviation are those of the differences to one of the numbers: a sum of large ones
-- that differ little would be rounded by more than they differ. DuckDB 1.5 fails where they would be infinite.
CREATE MACRO feature_statistics(tbl) AS TABLE
    SELECT feature, CASE WHEN max(abs(difference)) <= 2e150 THEN any_value(start) + avg(small) ELSE 'NaN'::DOUBLE END AS mean,
           CASE WHEN min(number) = max(number) THEN 0
                WHEN max(abs(number)) <= 1e150 THEN coalesce(nullif(stddev_pop(small), 0), 'NaN'::DOUBLE)
                ELSE 'Infinity'::DOUBLE END AS deviation
    FROM (SELECT *, CASE WHEN abs(difference) <= 2e150 THEN difference END AS small
          FROM (SELECT feature, number, coalesce(starts[feature], 0) AS start, number - coalesce(starts[feature], 0) AS difference
                FROM (SELECT generate_subscripts(x, 1) AS feature, unnest(duckpriv.main.exact_doubles(x)) AS number FROM query_table(tbl)),
                     (SELECT any_value(duckpriv.main.exact_doubles(x)) AS starts FROM query_table(tbl))))
    GROUP BY feature ORDER BY feature ASC;

-- Without a lambda's index: dialect_compatibility_mode = 'spark' counts it from 0.
CREATE MACRO standardise(tbl) AS TABLE
    SELECT row, id, CASE WHEN len(x) = coalesce(len(means), 0) AND list_count(x) = len(x)
                         THEN list_transform(range(1, len(x) + 1), lambda i: (x[i] - means[i]) / deviations[i])
                         ELSE error('DUCKPRIV_INVALID_VALUE: not every row has a number in each column; fill them in') END AS x
    FROM query_table(tbl),
         (SELECT list(mean ORDER BY feature ASC) AS means,
                 list(CASE WHEN deviation > 0 AND isfinite(deviation) AND isfinite(mean) THEN deviation
                           WHEN deviation > 0 THEN error(
                               'DUCKPRIV_INVALID_VALUE: column ' || feature || ' has NaN or an infinity, or numbers that are too '
                               || 'large, or too close to each other, for a standard deviation; scale it, or take its logarithm')
                           ELSE error('DUCKPRIV_INVALID_VALUE: column ' || feature || ' has the same number in every row, or '
                                      || 'none; leave it out') END ORDER BY feature ASC) AS deviations
          FROM duckpriv.main.feature_statistics(tbl));

-- sigma(z) = 1/2 + z/4 + …: the first terms of the logistic function's Taylor series.
CREATE MACRO lr_residual(score, y) AS duckpriv.main.exact_double(score) / 4 + 0.5 - duckpriv.main.exact_double(y);

-- Less ln 2, the loss at score 0.
CREATE MACRO lr_loss(score, y) AS
    (0.5 - duckpriv.main.exact_double(y)) * duckpriv.main.exact_double(score) + duckpriv.main.exact_double(score) ** 2 / 8;

-- CASE, not coalesce: see joint_decrypt.
CREATE MACRO lr_residual_add(ct, score, key, present := true, noise := 0, weight := NULL) AS
    duckpriv_udf_lr_residual_add(ct, duckpriv.main.exact_double(score), key, present, duckpriv.main.exact_double(noise),
                                 CASE WHEN weight IS NULL THEN ''::BLOB ELSE weight END);

-- In blocks of rows, so that no list of ciphertexts gets long. A row without features is an error.
CREATE MACRO lr_encrypted_gradient(residuals, features, key, scale := 16, bound := 27) AS TABLE
    WITH duckpriv_internal_blocks AS (
        SELECT list(ct ORDER BY row ASC) AS cts, list(duckpriv.main.exact_doubles(x) ORDER BY row ASC) AS xs
        FROM query_table(residuals) LEFT JOIN query_table(features) USING (row)
        GROUP BY row // 8192
    ), duckpriv_internal_sums AS MATERIALIZED (
        SELECT generate_subscripts(sums, 1) AS feature, unnest(sums) AS ct
        FROM (SELECT duckpriv_udf_he_weighted_sums(cts, xs, key, scale, bound, 0) AS sums
              FROM duckpriv_internal_blocks)
    ), duckpriv_internal_masked AS MATERIALIZED (
        SELECT feature, duckpriv.main.joint_mask(duckpriv.main.he_sum(ct, key), key) AS m
        FROM duckpriv_internal_sums GROUP BY feature
    )
    SELECT feature, m.ct AS ct, m.mask AS mask FROM duckpriv_internal_masked ORDER BY feature ASC;

CREATE MACRO lr_update(weight, gradient, learning_rate, l2 := 0) AS
    weight - learning_rate * (gradient + l2 * weight);

CREATE MACRO lr_predict(score) AS 1 / (1 + exp(-score));

-- The text of the query for the columns of a table in which some ids of an alignment occur, in one pass.
CREATE MACRO duckpriv_possible_keys_query(tbl, names, ids) AS
    'SELECT column_name FROM (SELECT unnest([' || array_to_string(list_transform(names, lambda c: duckpriv.main.duckpriv_literal(c)), ', ')
    || ']) AS column_name, unnest(found) AS found FROM (SELECT ['
    || array_to_string(list_transform(names, lambda c:
           'bool_or(' || duckpriv.main.duckpriv_quoted(c) || '::VARCHAR = duckpriv_internal_low) AND bool_or('
           || duckpriv.main.duckpriv_quoted(c) || '::VARCHAR = duckpriv_internal_high)'), ', ')
    || '] AS found FROM ' || duckpriv.main.duckpriv_source(tbl)
    || ', (SELECT min(id::VARCHAR) AS duckpriv_internal_low, max(id::VARCHAR) AS duckpriv_internal_high FROM '
    || duckpriv.main.duckpriv_source(ids) || '))) WHERE found';

-- The text of the query for those of these columns in which every id of an alignment occurs.
CREATE MACRO duckpriv_keys_query(tbl, names, ids) AS coalesce(array_to_string(list_transform(names, lambda c:
    'SELECT ' || duckpriv.main.duckpriv_literal(c) || ' AS column_name WHERE NOT EXISTS (SELECT id::VARCHAR FROM '
    || duckpriv.main.duckpriv_source(ids) || ' EXCEPT SELECT ' || duckpriv.main.duckpriv_quoted(c) || '::VARCHAR FROM '
    || duckpriv.main.duckpriv_source(tbl) || ')'), ' UNION ALL '), 'SELECT NULL::VARCHAR AS column_name WHERE false');

-- Gaussian noise from the operating system's generator; a value for each row, so that each gets its own.
CREATE MACRO gaussian_noise(value, deviation) AS
    duckpriv_udf_gaussian_noise(CASE WHEN value IS NOT NULL THEN true END, CAST(deviation AS DOUBLE));

-- The capacity of a Gaussian channel (Shannon 1948): what a sum of the rows' bits, each times a number, tells of
-- them where each row has noise of this deviation. Rounding to 2^-20 is the least noise there is.
CREATE MACRO noisy_bits(noise) AS log2(1 + 1 / (4 * (noise * noise + 1 / (12 * power(2, 40))))) / 2;

CREATE MACRO require_hidden(accepted, bits, rows) AS duckpriv.main.require(
    accepted = 'yes' OR 8 * bits <= rows,
    'a party would see ' || ceil(bits)::BIGINT || ' bits about ' || rows || ' rows, and more than an eighth of a bit a row '
    || 'could tell it the other''s. Train with more rows, larger batches, fewer steps or features, or more noise; or with '
    || 'lr_helper and reveal=none, which opens nothing. To train all the same, have all parties --set accept_disclosure=yes');
