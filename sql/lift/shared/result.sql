-- part matched-persons if getvariable('receives') AND getvariable('population') = 'matched'

CREATE OR REPLACE TEMP TABLE lift_population AS
    SELECT CASE getvariable('exposures') WHEN 'host' THEN host_place ELSE guest_place END AS place, numbers[1]::BIGINT AS persons
    FROM aggregate_values JOIN aggregate_cells USING (cell) WHERE measure = 0;

-- part result if getvariable('receives')

-- each group of segment and arm by outcome: persons, how many are matched, and of how many there is a number, their sum and sum of squares, in
-- units of the last decimal; NULL is hidden
CREATE OR REPLACE TEMP TABLE lift_arms AS
    WITH opened AS (SELECT CASE getvariable('exposures') WHEN 'host' THEN host_place ELSE guest_place END AS place, measure, numbers
                    FROM aggregate_cells LEFT JOIN aggregate_values USING (cell)),
         labelled AS (SELECT place, labels[:getvariable('groups') - 1] AS segments, labels[getvariable('groups')] AS arm
                      FROM query(CASE WHEN getvariable('exposes') THEN 'FROM aggregate_labels' ELSE 'FROM aggregate_peer_labels' END))
    SELECT segments, arm, o.measure, p.persons, m.numbers[1]::BIGINT AS matched, o.numbers[1]::BIGINT AS count, o.numbers[2] AS total, o.numbers[3] AS squares
    FROM opened o JOIN labelled USING (place) JOIN opened m ON m.place = o.place AND m.measure = 0 LEFT JOIN lift_population p ON p.place = o.place WHERE o.measure > 0;
SELECT require(bool_and(coalesce(arm IN ('treatment', 'control'), false)) AND count(DISTINCT (segments, arm, measure)) = count(*), 'the peer''s groups make no sense'),
       require(coalesce(bool_and(persons BETWEEN matched AND 1099511627776), true), 'the peer counts fewer persons of a group than are matched')
FROM lift_arms;

-- both arms side by side, and all segments together that are shown
CREATE OR REPLACE TEMP TABLE lift_lines AS
    WITH pairs AS (SELECT segments, false AS all_segments, measure, coalesce(t.total IS NULL OR c.total IS NULL, true) AS suppressed,
                          t.persons AS persons_treatment, c.persons AS persons_control, t.matched AS matched_treatment, c.matched AS matched_control,
                          t.count AS count_treatment, c.count AS count_control, t.total AS units_treatment, c.total AS units_control,
                          t.squares AS squares_treatment, c.squares AS squares_control
                   FROM (SELECT DISTINCT segments, measure FROM lift_arms) s
                   LEFT JOIN (FROM lift_arms WHERE arm = 'treatment') t USING (segments, measure)
                   LEFT JOIN (FROM lift_arms WHERE arm = 'control') c USING (segments, measure)),
         together AS (SELECT NULL::VARCHAR[] AS segments, true AS all_segments, measure, bool_and(suppressed) AS suppressed, sum(persons_treatment) FILTER (NOT suppressed)::BIGINT,
                             sum(persons_control) FILTER (NOT suppressed)::BIGINT, sum(matched_treatment) FILTER (NOT suppressed)::BIGINT,
                             sum(matched_control) FILTER (NOT suppressed)::BIGINT, sum(count_treatment) FILTER (NOT suppressed)::BIGINT,
                             sum(count_control) FILTER (NOT suppressed)::BIGINT, sum(units_treatment) FILTER (NOT suppressed), sum(units_control) FILTER (NOT suppressed),
                             sum(squares_treatment) FILTER (NOT suppressed), sum(squares_control) FILTER (NOT suppressed)
                      FROM pairs WHERE getvariable('groups') > 1 GROUP BY measure)
    FROM pairs UNION ALL FROM together;
SET VARIABLE most_scale = (SELECT max(scale) FROM (FROM aggregate_own UNION ALL BY NAME FROM aggregate_theirs) WHERE use = 'measure');
-- totals as decimal numbers, means and variances of all persons: who has no outcome counts as 0
SET VARIABLE total_columns = (
    SELECT string_agg('CAST(CASE scale ' || cases || ' END AS DECIMAL(38, ' || getvariable('most_scale') || ')) AS total_' || arm || ', ', '' ORDER BY arm DESC)
    FROM (SELECT arm, string_agg('WHEN ' || scale || ' THEN CAST(CAST(units_' || arm || ' AS DECIMAL(19, 0)) * CAST('
                                 || CASE WHEN scale = 0 THEN '1' ELSE '0.' || repeat('0', scale::INTEGER - 1) || '1' END || ' AS DECIMAL(' || scale + 1 || ', ' || scale
                                 || ')) AS DECIMAL(38, ' || getvariable('most_scale') || '))', ' ') AS cases
          FROM (SELECT DISTINCT scale FROM (FROM aggregate_own UNION ALL BY NAME FROM aggregate_theirs) WHERE use = 'measure'), (VALUES ('treatment'), ('control')) a(arm)
          GROUP BY arm));
CREATE OR REPLACE TEMP TABLE lift_figures AS
    FROM query('SELECT segments, all_segments, measure, name AS outcome, suppressed, persons_treatment, persons_control, matched_treatment, matched_control, count_treatment, count_control, '
               || getvariable('total_columns')
               || 'units_treatment::DOUBLE / persons_treatment / unit AS mean_treatment, units_control::DOUBLE / persons_control / unit AS mean_control, '
               || 'sample_variance(persons_treatment, units_treatment, squares_treatment) / unit / unit AS variance_treatment, '
               || 'sample_variance(persons_control, units_control, squares_control) / unit / unit AS variance_control '
               || 'FROM lift_lines JOIN (SELECT position AS measure, name, scale, 10.0::DOUBLE ** scale AS unit FROM (FROM aggregate_own UNION ALL BY NAME FROM aggregate_theirs) '
               || 'WHERE use = ''measure'') USING (measure)');
SET VARIABLE segment_columns = (
    SELECT string_agg('CAST(segments[' || position || '] AS '
                      || CASE WHEN regexp_full_match(type, '(BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(\d+,\d+\)|FLOAT|DOUBLE|DATE|TIME|TIMESTAMP|UUID)') THEN type ELSE 'VARCHAR' END
                      || ') AS ' || duckpriv_quoted(name) || ', ', '' ORDER BY position)
    FROM (FROM aggregate_own UNION ALL BY NAME FROM aggregate_theirs) WHERE use = 'group' AND position < getvariable('groups'));
SET VARIABLE confidence = getvariable('confidence')::DOUBLE;
CREATE OR REPLACE TABLE "${result}" AS
    FROM query('SELECT ' || coalesce(getvariable('segment_columns') || 'all_segments, ', '') || '* EXCLUDE (segments, all_segments, measure) '
               || 'FROM lift_statistics(''lift_figures'', confidence := ' || getvariable('confidence') || ') ORDER BY all_segments, segments, measure');
COMMENT ON TABLE "${result}" IS 'made by duckpriv run lift';

-- part end

-- summary
SELECT getvariable('own_places') * getvariable('peer_places') AS groups, (SELECT count(*) FROM aggregate_shown WHERE NOT shown) AS suppressed,
       getvariable('left_out') AS left_out, exchange_bytes() AS bytes;
