-- NULL, and NaN of a column of numbers: the text 'nan' is one as any other.
CREATE MACRO duckpriv_is_missing(x) AS x IS NULL OR (typeof(x) IN ('FLOAT', 'DOUBLE') AND coalesce(isnan(TRY_CAST(x AS DOUBLE)), false));

-- One value of a table, with the column's name and whether its type is one of numbers or of values. A row, as the name of a struct's
-- field would be alias()'s answer. Texts are compared by their bytes, whatever collation is set.
CREATE MACRO duckpriv_cell(x, texts) AS
    CAST(row(alias(x), duckpriv.main.duckpriv_folded(alias(x)),
             CASE WHEN regexp_matches(typeof(x), '^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$') THEN 'number'
                  WHEN regexp_matches(typeof(x), '(?s)^(VARCHAR|BOOLEAN|ENUM\(.*\))$') THEN 'value' END,
             CASE WHEN isnan(TRY_CAST(x AS DOUBLE)) THEN NULL ELSE TRY_CAST(x AS DOUBLE) END,
             CASE WHEN texts OR typeof(x) NOT IN ('FLOAT', 'DOUBLE') THEN encode(CAST(x AS VARCHAR)) END,
             duckpriv.main.duckpriv_is_missing(x))
         AS STRUCT(feature VARCHAR, folded VARCHAR, known VARCHAR, number DOUBLE, text BLOB, missing BOOLEAN));

CREATE MACRO duckpriv_folded_literals(names) AS
    '[' || array_to_string(list_transform(names, lambda n: duckpriv.main.duckpriv_literal(duckpriv.main.duckpriv_folded(n))), ', ') || ']::VARCHAR[]';

-- The text of the query for all values of a table, one a row: of the columns `names`, or, where that is NULL, of all but
-- `without`. `key` is the text of an expression that goes along. `texts`: also the text of numbers with a point, which takes long.
CREATE MACRO duckpriv_cells_query(tbl, names, without, key, texts := true) AS
    'SELECT "duckpriv_internal_key" AS key, generate_subscripts(cells, 1) AS place, unnest(cells) AS cell FROM (SELECT '
    || '"duckpriv_internal_key", [*COLUMNS(lambda c: c <> ''duckpriv_internal_key'')] AS cells FROM (SELECT ' || key || ' AS "duckpriv_internal_key", '
    || 'duckpriv.main.duckpriv_cell(COLUMNS(lambda c: ' || CASE
        WHEN names IS NULL THEN 'NOT list_contains(' || duckpriv.main.duckpriv_folded_literals(without)
        ELSE 'list_contains(' || duckpriv.main.duckpriv_folded_literals(names) END
    || ', duckpriv.main.duckpriv_folded(c))), ' || CAST(texts AS VARCHAR) || ') FROM ' || duckpriv.main.duckpriv_source(tbl) || '))';

CREATE MACRO duckpriv_edges_query(edges) AS CASE
    WHEN trim(edges) = '' THEN 'SELECT NULL::VARCHAR AS feature, NULL::DOUBLE AS edge WHERE false'
    ELSE 'SELECT feature::VARCHAR AS feature, edge::DOUBLE AS edge FROM ' || duckpriv.main.duckpriv_source(edges) END;

-- Bins of columns. Numbers: between quantiles, or between given edges; neighbours with fewer than `minimum` rows are put
-- together, from the lowest up. Other values: the most frequent ones, and all others together. Missing values: a bin of their own, or,
-- where they are fewer than `minimum`, the one with most rows.
CREATE MACRO woe_bins(tbl, columns := '', without := '', categories := '', edges := '', bins := 10, max_bins := 12, minimum := 20) AS TABLE
    WITH RECURSIVE duckpriv_internal_wanted AS MATERIALIZED (
        SELECT nullif(duckpriv.main.split_names(columns), []) AS names,
               list_transform(duckpriv.main.split_names(categories), lambda n: duckpriv.main.duckpriv_folded(n)) AS by_value,
               duckpriv.main.require(bins >= 1 AND max_bins >= 1 AND minimum >= 1, 'bins, max_bins and minimum have to be 1 at least') AS checked
    ), duckpriv_internal_edges AS MATERIALIZED (
        FROM query(duckpriv.main.duckpriv_edges_query(edges))
    ), duckpriv_internal_unknown AS MATERIALIZED (
        SELECT duckpriv.main.require(count(*) = 0, 'the table has no column "' || any_value(name) || '"') AS checked
        FROM (SELECT unnest(coalesce(names, []) || duckpriv.main.split_names(categories)) AS name FROM duckpriv_internal_wanted
              UNION ALL SELECT feature FROM duckpriv_internal_edges) w
        ANTI JOIN duckpriv.main.table_columns(tbl) c ON duckpriv.main.duckpriv_folded(w.name) = duckpriv.main.duckpriv_folded(c.column_name)
    ), duckpriv_internal_cells AS MATERIALIZED (
        SELECT place, cell.feature AS feature, coalesce(cell.known = 'value', false) OR list_contains(by_value, cell.folded) AS by_value,
               cell.number AS number, cell.text AS text
        FROM query(duckpriv.main.duckpriv_cells_query(
                 tbl, nullif(duckpriv.main.split_names(columns), []), duckpriv.main.split_names(without), 'NULL', texts := trim(categories) <> '')),
             duckpriv_internal_wanted w, duckpriv_internal_unknown u
        WHERE w.checked AND u.checked AND CASE WHEN cell.known IS NOT NULL THEN true WHEN list_contains(by_value, cell.folded) THEN true
                   WHEN names IS NOT NULL THEN error('DUCKPRIV_INVALID_VALUE: column "' || cell.feature || '" holds neither numbers nor texts nor true and '
                        || 'false; name it in categories, or cast it') END
    ), duckpriv_internal_given AS MATERIALIZED (
        SELECT duckpriv.main.duckpriv_folded(feature) AS folded, edge FROM duckpriv_internal_edges WHERE edge IS NOT NULL
    ), duckpriv_internal_tops AS MATERIALIZED (
        SELECT feature, any_value(place) AS place, max(number) AS top,
               quantile_disc(number, list_transform(range(1, bins), lambda i: CAST(i AS DOUBLE) / CAST(bins AS DOUBLE))) AS quantiles
        FROM duckpriv_internal_cells WHERE NOT by_value AND number IS NOT NULL GROUP BY feature
    ), duckpriv_internal_intervals AS MATERIALIZED (
        SELECT feature, place, row_number() OVER byedge AS i, lag(edge) OVER byedge AS lower, edge AS upper
        FROM (SELECT feature, place, unnest(list_distinct(list_filter(cuts, lambda c: c < top)) || ['Infinity'::DOUBLE]) AS edge
              FROM (SELECT feature, place, top, coalesce(cut, quantiles) AS cuts
                    FROM duckpriv_internal_tops
                    LEFT JOIN (SELECT folded, list(edge) AS cut FROM duckpriv_internal_given GROUP BY folded)
                        ON duckpriv.main.duckpriv_folded(feature) = folded))
        WINDOW byedge AS (PARTITION BY feature ORDER BY edge ASC)
    ), duckpriv_internal_counted AS MATERIALIZED (
        SELECT t.feature, any_value(t.place) AS place, t.i, any_value(t.lower) AS lower, any_value(t.upper) AS upper, count(c.number) AS n
        FROM duckpriv_internal_intervals t
        LEFT JOIN duckpriv_internal_cells c ON c.feature = t.feature AND NOT c.by_value AND (t.lower IS NULL OR c.number > t.lower) AND c.number <= t.upper
        GROUP BY t.feature, t.i
    ), duckpriv_internal_walk AS (
        SELECT feature, place, i, lower, upper, n, 1 AS merged, n AS run FROM duckpriv_internal_counted WHERE i = 1
        UNION ALL
        SELECT c.feature, c.place, c.i, c.lower, c.upper, c.n, w.merged + (w.run >= minimum)::INTEGER,
               c.n + CASE WHEN w.run >= minimum THEN 0 ELSE w.run END
        FROM duckpriv_internal_walk w JOIN duckpriv_internal_counted c ON c.feature = w.feature AND c.i = w.i + 1
    ), duckpriv_internal_numbers AS (
        -- the last ones may be too few: then they are part of those before
        SELECT feature, any_value(place) AS place, least(merged, greatest(last, 1)) AS bin, 'interval' AS kind,
               CASE WHEN count(lower) = count(*) THEN min(lower) END AS lower, nullif(max(upper), 'Infinity'::DOUBLE) AS upper,
               NULL::VARCHAR AS category, sum(n)::BIGINT AS n
        FROM (SELECT *, max(merged) OVER f - (sum(CASE WHEN merged = most THEN n END) OVER f < minimum)::INTEGER AS last
              FROM (SELECT *, max(merged) OVER (PARTITION BY feature) AS most FROM duckpriv_internal_walk)
              WINDOW f AS (PARTITION BY feature))
        GROUP BY feature, least(merged, greatest(last, 1))
    ), duckpriv_internal_ranked AS MATERIALIZED (
        SELECT *, coalesce(max(CASE WHEN rank <= bins AND n >= minimum AND (tail = 0 OR tail >= minimum) THEN rank END) OVER (PARTITION BY feature), 0) AS kept
        FROM (SELECT *, sum(n) OVER (PARTITION BY feature) - sum(n) OVER (byrows ROWS UNBOUNDED PRECEDING) AS tail, row_number() OVER byrows AS rank
              FROM (SELECT feature, any_value(place) AS place, text, count(*) AS n FROM duckpriv_internal_cells WHERE by_value AND text IS NOT NULL
                    GROUP BY feature, text)
              WINDOW byrows AS (PARTITION BY feature ORDER BY n DESC, text ASC))
    ), duckpriv_internal_pieces AS MATERIALIZED (
        FROM duckpriv_internal_numbers
        UNION ALL
        SELECT feature, place, rank, 'category', NULL, NULL, decode(text), n FROM duckpriv_internal_ranked WHERE rank <= kept
        UNION ALL
        SELECT feature, any_value(place), any_value(kept) + 1, 'other', NULL, NULL, NULL, sum(n)::BIGINT FROM duckpriv_internal_ranked WHERE rank > kept
        GROUP BY feature
    ), duckpriv_internal_known AS (
        SELECT feature, max(bin) AS last, first(bin ORDER BY n DESC, bin ASC) AS largest, sum(n) AS total FROM duckpriv_internal_pieces GROUP BY feature
    ), duckpriv_internal_missing AS MATERIALIZED (
        SELECT feature, place, n, total, n < minimum OR total < minimum OR total IS NULL AS joined,
               CASE WHEN total IS NULL THEN 1 WHEN n < minimum OR total < minimum THEN largest ELSE last + 1 END AS bin
        FROM (SELECT feature, any_value(place) AS place, count(*) AS n FROM duckpriv_internal_cells
              WHERE CASE WHEN by_value THEN text IS NULL ELSE number IS NULL END GROUP BY feature)
        LEFT JOIN duckpriv_internal_known USING (feature)
    ), duckpriv_internal_all AS (
        FROM duckpriv_internal_pieces
        UNION ALL
        SELECT feature, place, bin, 'missing', NULL, NULL, NULL, n FROM duckpriv_internal_missing
    )
    SELECT feature,
           CASE WHEN (max(bin) OVER (PARTITION BY feature)) > max_bins
                THEN error('DUCKPRIV_INVALID_VALUE: column "' || feature || '" has more than ' || max_bins || ' bins; set fewer bins or edges, a larger minimum, or a larger max_bins')
                ELSE bin END::BIGINT AS bin, kind, lower::DOUBLE AS lower, upper::DOUBLE AS upper, category::VARCHAR AS category, n::BIGINT AS rows
    FROM duckpriv_internal_all ORDER BY place ASC, bin ASC, kind ASC;

-- The bin of each value of the columns that have bins; a column whose values were all missing has neither intervals nor categories, and
-- NaN of it is missing as woe_bins has it. 0 for a value that none of them has.
CREATE MACRO duckpriv_binned(tbl, pieces, along) AS TABLE
    WITH duckpriv_internal_cells AS (
        SELECT key, cell.folded AS folded, cell.number AS number, cell.text AS text, cell.missing AS missing
        FROM query(duckpriv.main.duckpriv_cells_query(tbl, NULL, ['duckpriv_internal_name'], along))
    ), duckpriv_internal_pieces AS MATERIALIZED (
        SELECT *, duckpriv.main.duckpriv_folded(feature) AS folded FROM query_table(pieces)
    ), duckpriv_internal_features AS (
        SELECT folded, any_value(feature) AS feature, bool_or(kind = 'interval') AS numeric, bool_or(kind IN ('category', 'other')) AS by_value,
               max(bin) FILTER (kind = 'missing') AS missing, max(bin) FILTER (kind = 'other') AS other
        FROM duckpriv_internal_pieces GROUP BY folded
    )
    SELECT c.key, f.feature,
           coalesce(CASE WHEN CASE WHEN numeric THEN c.number IS NULL WHEN by_value THEN c.text IS NULL ELSE c.missing END THEN f.missing
                         WHEN numeric THEN n.bin ELSE coalesce(v.bin, other) END, 0)::BIGINT AS bin
    FROM duckpriv_internal_cells c
    JOIN duckpriv_internal_features f ON f.folded = c.folded
    LEFT JOIN duckpriv_internal_pieces n ON n.folded = c.folded AND n.kind = 'interval' AND (n.lower IS NULL OR c.number > n.lower)
        AND (n.upper IS NULL OR c.number <= n.upper)
    LEFT JOIN (SELECT folded, encode(category) AS text, bin FROM duckpriv_internal_pieces WHERE kind = 'category') v
        ON v.folded = c.folded AND v.text = c.text AND NOT f.numeric;

CREATE MACRO woe_counts(tbl, pieces, label := 'label') AS TABLE
    SELECT feature, bin, count(*) AS rows, sum(CASE WHEN key IN (0, 1) THEN key ELSE error('DUCKPRIV_INVALID_VALUE: a label is NULL or not 0 or 1') END)::BIGINT AS positives
    FROM duckpriv.main.duckpriv_binned(tbl, pieces, 'duckpriv.main.duckpriv_exact_column(' || duckpriv.main.duckpriv_quoted(duckpriv.main.plain_name(label)) || ')')
    GROUP BY feature, bin ORDER BY feature ASC, bin ASC;

-- ln of the share of all positives by the share of all negatives. In a bin without one or the other each count is one half more. Counts that
-- noise has moved out of their range stand at its end.
CREATE MACRO duckpriv_woe(positives, negatives, all_positives, all_negatives) AS
    CASE WHEN all_positives > 0 AND all_negatives > 0
         THEN ln((positives + CASE WHEN positives = 0 OR negatives = 0 THEN 0.5::DOUBLE ELSE 0 END) / all_positives)
              - ln((negatives + CASE WHEN positives = 0 OR negatives = 0 THEN 0.5::DOUBLE ELSE 0 END) / all_negatives) END;

CREATE MACRO duckpriv_iv(positives, negatives, all_positives, all_negatives) AS
    ((positives + CASE WHEN positives = 0 OR negatives = 0 THEN 0.5::DOUBLE ELSE 0 END) / all_positives
     - (negatives + CASE WHEN positives = 0 OR negatives = 0 THEN 0.5::DOUBLE ELSE 0 END) / all_negatives)
    * duckpriv.main.duckpriv_woe(positives, negatives, all_positives, all_negatives);

CREATE MACRO duckpriv_evidence_query(counts) AS
    'SELECT feature, bin, "rows", positives, duckpriv.main.duckpriv_woe(p, q, all_p, all_q) AS woe, duckpriv.main.duckpriv_iv(p, q, all_p, all_q) AS iv '
    || 'FROM (SELECT *, sum(p) OVER (PARTITION BY feature) AS all_p, sum(q) OVER (PARTITION BY feature) AS all_q '
    || 'FROM (SELECT *, "rows" - p AS q FROM (SELECT *, least(greatest(positives, 0), "rows")::DOUBLE AS p FROM ' || counts || '))) '
    || 'ORDER BY feature ASC, bin ASC';

CREATE MACRO weight_of_evidence(counts) AS TABLE
    FROM query(duckpriv.main.duckpriv_evidence_query(duckpriv.main.duckpriv_source(counts)));

CREATE MACRO information_value(evidence) AS TABLE
    SELECT feature, CASE WHEN count(iv) = count(*) THEN sum(iv) END AS iv, count(*) AS bins
    FROM query_table(evidence) GROUP BY feature ORDER BY iv DESC NULLS LAST, feature ASC;

-- What a bin holds, to be read.
CREATE MACRO duckpriv_piece(kind, lower, upper, category) AS CASE kind
    WHEN 'interval' THEN CASE WHEN lower IS NULL AND upper IS NULL THEN 'any number' WHEN lower IS NULL THEN '<= ' || upper
                              WHEN upper IS NULL THEN '> ' || lower ELSE '> ' || lower || ', <= ' || upper END
    WHEN 'category' THEN category ELSE kind END;

CREATE MACRO duckpriv_descriptions(pieces) AS TABLE
    SELECT feature, bin, string_agg(duckpriv.main.duckpriv_piece(kind, lower, upper, category), ' or ' ORDER BY kind ASC) AS description
    FROM query_table(pieces) GROUP BY feature, bin;

-- true, or an error: each bin has its weight, and each weight of these columns its bin. Bin 0 of counts has the values that no bin has.
CREATE MACRO duckpriv_of_one_result(pieces, evidence) AS (
    SELECT CASE WHEN count(*) = 0 THEN true
                ELSE error('DUCKPRIV_INVALID_VALUE: the bins and the weights of evidence are not of one result: column "' || any_value(feature)
                           || '" has a bin in one of ' || pieces || ' and ' || evidence || ' that the other lacks; make both from the same bins') END
    FROM (SELECT feature, bin FROM (SELECT DISTINCT feature, bin, true AS piece FROM query_table(pieces)) p
          FULL JOIN (SELECT DISTINCT feature, bin, true AS weight FROM query_table(evidence)
                     WHERE bin > 0 AND feature IN (SELECT feature FROM query_table(pieces))) w USING (feature, bin)
          WHERE piece IS NULL OR weight IS NULL));

-- Which bins of numbers are one where rates of positives have to rise, or fall, with the number: the fits of isotonic regression, as
-- max-min and min-max of the rates of neighbours (Robertson, Wright and Dykstra 1988, theorem 1.4.4). Of the two the one that is closer.
CREATE MACRO duckpriv_monotone(pieces, evidence) AS TABLE
    WITH duckpriv_internal_bins AS MATERIALIZED (
        SELECT w.feature, w.bin, n, p, row_number() OVER (PARTITION BY w.feature ORDER BY i.lower ASC NULLS FIRST) AS spot
        FROM (SELECT feature, bin, "rows" AS n, least(greatest(positives, 0), "rows") AS p FROM query_table(evidence)) w
        JOIN (SELECT feature, bin, CASE WHEN count(lower) = count(*) THEN min(lower) END AS lower FROM query_table(pieces)
              WHERE kind = 'interval' GROUP BY feature, bin) i USING (feature, bin)
        WHERE duckpriv.main.duckpriv_of_one_result(pieces, evidence)
    ), duckpriv_internal_sums AS MATERIALIZED (
        SELECT a.feature, a.spot AS first, b.spot AS last, sum(c.p)::DOUBLE / sum(c.n) AS rate
        FROM duckpriv_internal_bins a JOIN duckpriv_internal_bins b ON a.feature = b.feature AND a.spot <= b.spot
        JOIN duckpriv_internal_bins c ON c.feature = a.feature AND c.spot BETWEEN a.spot AND b.spot
        GROUP BY a.feature, a.spot, b.spot
    ), duckpriv_internal_fits AS MATERIALIZED (
        SELECT feature, spot, any_value(bin) AS bin, any_value(n) AS n, any_value(p) AS p, max(lowest) AS rising, min(highest) AS falling
        FROM (SELECT b.feature, b.spot, s.first, any_value(b.bin) AS bin, any_value(b.n) AS n, any_value(b.p) AS p, min(s.rate) AS lowest, max(s.rate) AS highest
              FROM duckpriv_internal_bins b JOIN duckpriv_internal_sums s ON s.feature = b.feature AND b.spot BETWEEN s.first AND s.last
              GROUP BY b.feature, b.spot, s.first)
        GROUP BY feature, spot
    ), duckpriv_internal_chosen AS (
        SELECT feature, sum(n * (rising - p / n) ** 2) <= sum(n * (falling - p / n) ** 2) AS rises FROM duckpriv_internal_fits GROUP BY feature
    ), duckpriv_internal_numbers AS (
        SELECT feature, bin, dense_rank() OVER (PARTITION BY feature ORDER BY CASE WHEN rises THEN rising ELSE -falling END ASC) AS merged
        FROM duckpriv_internal_fits JOIN duckpriv_internal_chosen USING (feature)
    ), duckpriv_internal_more AS (
        SELECT w.feature, w.bin, coalesce(most, 0) + row_number() OVER (PARTITION BY w.feature ORDER BY w.bin ASC) AS merged
        FROM query_table(evidence) w LEFT JOIN (SELECT feature, max(merged) AS most FROM duckpriv_internal_numbers GROUP BY feature) USING (feature)
        ANTI JOIN duckpriv_internal_numbers m ON (m.feature, m.bin) = (w.feature, w.bin)
    )
    FROM duckpriv_internal_numbers UNION ALL FROM duckpriv_internal_more;

CREATE MACRO monotone_bins(result) AS TABLE
    SELECT feature, merged::BIGINT AS bin, kind, CASE WHEN count(lower) = count(*) THEN min(lower) END AS lower,
           CASE WHEN count(upper) = count(*) THEN max(upper) END AS upper, category, sum("rows")::BIGINT AS rows
    FROM query_table(result || '_bins') JOIN duckpriv.main.duckpriv_monotone(result || '_bins', result || '_woe') USING (feature, bin)
    GROUP BY feature, merged, kind, category ORDER BY feature ASC, bin ASC, kind ASC, category ASC;

-- Counts that noise has moved out of their range stand at its end, as the fits had them.
CREATE MACRO duckpriv_monotone_counts(result) AS TABLE
    SELECT feature, merged::BIGINT AS bin, sum("rows")::BIGINT AS rows, sum(least(greatest(positives, 0), "rows"))::BIGINT AS positives
    FROM query_table(result || '_woe') JOIN duckpriv.main.duckpriv_monotone(result || '_bins', result || '_woe') USING (feature, bin)
    GROUP BY feature, merged;

CREATE MACRO monotone_woe(result) AS TABLE
    SELECT feature, bin, description, rows, positives, woe, iv
    FROM query(duckpriv.main.duckpriv_evidence_query('duckpriv.main.duckpriv_monotone_counts(' || duckpriv.main.duckpriv_literal(result) || ')'))
    JOIN (SELECT feature, bin, string_agg(duckpriv.main.duckpriv_piece(kind, lower, upper, category), ' or ' ORDER BY kind ASC) AS description
          FROM duckpriv.main.monotone_bins(result) GROUP BY feature, bin) USING (feature, bin)
    ORDER BY feature ASC, bin ASC;

-- The text of one column: its number, or its text, as a WOE.
CREATE MACRO duckpriv_number(x) AS coalesce('''' || CAST(x AS VARCHAR) || '''', 'NULL') || '::DOUBLE';

-- For each column, the text of what gives a value the number of its bin: its WOE.
CREATE MACRO duckpriv_transformed(pieces, evidence) AS TABLE
    SELECT feature, name,
        'CASE WHEN ' || CASE WHEN numeric THEN 'coalesce(NOT isnan(TRY_CAST(' || name || ' AS DOUBLE)), false)'
                             WHEN by_value THEN name || ' IS NOT NULL' ELSE 'NOT duckpriv.main.duckpriv_is_missing(' || name || ')' END
        || ' THEN CASE ' || CASE WHEN numeric THEN '' ELSE 'encode(CAST(' || name || ' AS VARCHAR)) ' END || coalesce(cases, 'WHEN NULL THEN NULL') || ' ELSE '
        || coalesce(other, '0::DOUBLE') || ' END ELSE ' || coalesce(missing, '0::DOUBLE') || ' END' AS expression
    FROM (SELECT feature, duckpriv.main.duckpriv_quoted(feature) AS name, bool_or(kind = 'interval') AS numeric, bool_or(kind IN ('category', 'other')) AS by_value,
                 string_agg(CASE kind WHEN 'interval' THEN 'WHEN TRY_CAST(' || duckpriv.main.duckpriv_quoted(feature) || ' AS DOUBLE) <= '
                                           || duckpriv.main.duckpriv_number(coalesce(upper, 'Infinity'::DOUBLE)) || ' THEN ' || duckpriv.main.duckpriv_number(w.woe)
                                      WHEN 'category' THEN 'WHEN encode(' || duckpriv.main.duckpriv_literal(category) || ') THEN '
                                           || duckpriv.main.duckpriv_number(w.woe) END, ' ' ORDER BY upper ASC NULLS LAST)
                     FILTER (kind IN ('interval', 'category')) AS cases,
                 any_value(duckpriv.main.duckpriv_number(w.woe)) FILTER (kind = 'other') AS other,
                 any_value(duckpriv.main.duckpriv_number(w.woe)) FILTER (kind = 'missing') AS missing
          FROM query_table(pieces) p JOIN query_table(evidence) w USING (feature, bin)
          WHERE duckpriv.main.duckpriv_of_one_result(pieces, evidence) GROUP BY feature);

CREATE MACRO duckpriv_transform_query(tbl, pieces, evidence) AS (
    SELECT 'SELECT * REPLACE (' || string_agg(expression || ' AS ' || name, ', ' ORDER BY name ASC) || ') FROM ' || duckpriv.main.duckpriv_source(tbl)
    FROM duckpriv.main.duckpriv_transformed(pieces, evidence));

-- Names of the function's own and the search path are written out: it runs the query on a connection apart.
CREATE MACRO woe_transform(tbl, result) AS TABLE
    FROM query(duckpriv_udf_looked_up(
        'SELECT duckpriv.main.duckpriv_transform_query(' || duckpriv.main.duckpriv_literal(tbl) || ', ' || duckpriv.main.duckpriv_literal(result || '_bins')
        || ', ' || duckpriv.main.duckpriv_literal(result || '_woe') || ')',
        'there are no tables "' || result || '_bins" and "' || result || '_woe" that are committed and have the columns of a result; name one as scorecard/guest '
        || 'left it, and commit a transaction that is open first (temporary tables do not do)', current_database(), current_schema()));

-- Over columns that have bins; where no row of a table is in a bin, one half of a row is.
CREATE MACRO population_stability(tbl, other, pieces) AS TABLE
    SELECT feature, sum((a - b) * (ln(a) - ln(b))) AS stability
    FROM (SELECT feature, CASE WHEN n = 0 THEN 0.5::DOUBLE ELSE n END / sum(n) OVER (PARTITION BY feature) AS a,
                 CASE WHEN m = 0 THEN 0.5::DOUBLE ELSE m END / sum(m) OVER (PARTITION BY feature) AS b
          FROM (SELECT feature, bin, count(*) FILTER (here) AS n, count(*) FILTER (NOT here) AS m
                FROM (SELECT feature, bin, true AS here FROM duckpriv.main.duckpriv_binned(tbl, pieces, 'NULL')
                      UNION ALL SELECT feature, bin, false FROM duckpriv.main.duckpriv_binned(other, pieces, 'NULL'))
                GROUP BY feature, bin))
    GROUP BY feature ORDER BY stability DESC, feature ASC;

-- Points of a logistic model on features that woe_transform made: `points_to_double` more points double the odds of the label
-- `good`, and `base_points` are odds of `base_odds` to 1.
CREATE MACRO scorecard_points(model, evidence, points_to_double := 20, base_points := 600, base_odds := 50, good := 0) AS TABLE
    WITH duckpriv_internal_scale AS MATERIALIZED (
        SELECT CASE WHEN good IN (0, 1) AND base_odds > 0 THEN (2 * good - 1) * points_to_double / ln(2)
                    ELSE error('DUCKPRIV_INVALID_VALUE: good is 0 or 1, the label that earns points, and base_odds are more than 0') END AS factor
    ), duckpriv_internal_weights AS MATERIALIZED (
        SELECT feature, CASE WHEN weight_original IS NULL
                             THEN error('DUCKPRIV_INVALID_VALUE: the model has no weight for "' || feature || '"; train so that you see your weights')
                             ELSE weight_original END AS weight
        FROM query_table(model)
    )
    SELECT * FROM (
        SELECT feature, NULL::BIGINT AS bin, 'base' AS description,
               base_points - points_to_double / ln(2) * ln(base_odds::DOUBLE) + factor * weight AS points
        FROM duckpriv_internal_weights, duckpriv_internal_scale WHERE feature = '(intercept)'
        UNION ALL
        SELECT w.feature, b.bin, coalesce(b.description, 'for each unit'), factor * w.weight * CASE WHEN b.bin IS NULL THEN 1 ELSE b.woe END
        FROM duckpriv_internal_scale, duckpriv_internal_weights w
        LEFT JOIN query_table(evidence) b ON duckpriv.main.duckpriv_folded(b.feature) = duckpriv.main.duckpriv_folded(w.feature)
        WHERE w.feature <> '(intercept)')
    ORDER BY feature <> '(intercept)' ASC, feature ASC, bin ASC;
