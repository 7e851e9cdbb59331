-- part result if getvariable('receives')

-- each pair of groups with its numbers, by measure; what is hidden is NULL
CREATE OR REPLACE TEMP TABLE aggregate_lines AS
    SELECT host_place, guest_place, list(numbers ORDER BY measure) AS n
    FROM aggregate_cells LEFT JOIN aggregate_values USING (cell) GROUP BY host_place, guest_place;
SET VARIABLE of_lines = ' FROM aggregate_lines LEFT JOIN (SELECT place AS host_place, labels AS h FROM '
    || CASE WHEN getvariable('leads') THEN 'aggregate_labels' ELSE 'aggregate_peer_labels' END || ') USING (host_place) LEFT JOIN (SELECT place AS guest_place, labels AS g FROM '
    || CASE WHEN getvariable('leads') THEN 'aggregate_peer_labels' ELSE 'aggregate_labels' END || ') USING (guest_place)';
CREATE OR REPLACE TEMP TABLE aggregate_label_columns AS
    SELECT number, shown_as, CASE WHEN of_guest THEN 'g' ELSE 'h' END || '[' || position || ']' AS label,
           'TRY_CAST(' || label || ' AS ' || CASE WHEN type LIKE 'ENUM%' THEN 'VARCHAR' ELSE type END || ')' AS typed
    FROM aggregate_names WHERE use = 'group';
SET VARIABLE bad_query = 'SELECT 1 AS bad' || getvariable('of_lines') || ' WHERE '
    || coalesce((SELECT string_agg(label || ' IS NOT NULL AND ' || typed || ' IS NULL', ' OR ') FROM aggregate_label_columns), 'false');
SELECT require(count(*) = 0, 'the peer''s groups are not of the type that it said') FROM query(getvariable('bad_query'));
SET VARIABLE group_columns = (SELECT string_agg(typed || ' AS ' || duckpriv_quoted(shown_as) || ', ', '' ORDER BY number) FROM aggregate_label_columns);
SET VARIABLE measure_columns = (
    SELECT string_agg(', CAST(' || n || '[1] AS BIGINT) AS ' || duckpriv_quoted(shown_as || '_count')
                      || ', ' || CASE WHEN type IN ('FLOAT', 'DOUBLE') THEN 'CAST(' || n || '[2] AS DOUBLE) / ' || unit
                                      WHEN type LIKE 'DECIMAL%' THEN 'CAST(CAST(' || n || '[2] AS DECIMAL(19, 0)) * CAST(' || CASE WHEN scale = 0 THEN '1' ELSE '0.' || repeat('0', scale - 1) || '1' END
                                                                     || ' AS DECIMAL(' || scale + 1 || ', ' || scale || ')) AS DECIMAL(38, ' || scale || '))'
                                      ELSE n || '[2]' END || ' AS ' || duckpriv_quoted(shown_as || '_sum')
                      || ', CAST(' || n || '[2] AS DOUBLE) / nullif(' || n || '[1], 0) / ' || unit || ' AS ' || duckpriv_quoted(shown_as || '_avg')
                      || ', CASE WHEN ' || n || '[1] > 1 THEN CAST(' || n || '[1] * ' || n || '[3] - ' || n || '[2] * ' || n || '[2] AS DOUBLE) / CAST(' || n || '[1] * (' || n || '[1] - 1) AS DOUBLE) / '
                      || unit || ' / ' || unit || ' END AS ' || duckpriv_quoted(shown_as || '_var')
                      || ', ' || n || ' IS NULL AS ' || duckpriv_quoted(shown_as || '_suppressed'), '' ORDER BY number)
    FROM (SELECT *, 'n[' || number + 1 || ']' AS n, '1' || repeat('0', scale) || '::DOUBLE' AS unit FROM aggregate_names WHERE use = 'measure'));
SET VARIABLE result_query =
    'SELECT ' || coalesce(getvariable('group_columns'), '') || CASE WHEN getvariable('totals') = 'yes' THEN 'host_place = 0 OR guest_place = 0 AS total, ' ELSE '' END
    || 'CAST(n[1][1] AS BIGINT) AS "rows", n[1] IS NULL AS suppressed' || coalesce(getvariable('measure_columns'), '')
    || getvariable('of_lines') || ' ORDER BY host_place = 0 OR guest_place = 0'
    || coalesce((SELECT string_agg(', ' || number, '') FROM aggregate_names WHERE use = 'group'), '');
CREATE OR REPLACE TABLE "${result}" AS FROM query(getvariable('result_query'));
COMMENT ON TABLE "${result}" IS 'made by duckpriv run aggregate';

-- part end

-- summary
SELECT (SELECT count(*) FROM aggregate_cells WHERE measure = 0) AS groups,
       (SELECT count(*) FROM aggregate_shown JOIN aggregate_cells USING (cell) WHERE measure = 0 AND NOT shown) AS suppressed, exchange_bytes() AS bytes;
