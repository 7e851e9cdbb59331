-- the peer's columns: segments and an arm, or outcomes, equal ones for each bucket
SELECT require(CASE WHEN getvariable('exposes') THEN getvariable('peer_places') = 1 AND count(*) FILTER (use = 'group') = 0
                         AND count(*) > 0 AND count(*) % getvariable('buckets') = 0
                    ELSE getvariable('peer_places') % getvariable('buckets') = 0 AND count(*) FILTER (use = 'measure') = 0 AND count(*) > 0 END,
               'the peer''s groups and columns make no sense')
FROM aggregate_theirs;
SET VARIABLE outcome_count = (SELECT count(*) // getvariable('buckets') FROM (FROM aggregate_own UNION ALL BY NAME FROM aggregate_theirs) WHERE use = 'measure');
SELECT require(NOT getvariable('exposes') OR getvariable('outcome_count') <= getvariable('max_outcomes')::BIGINT, 'the peer has ' || getvariable('outcome_count')
               || ' outcomes, and max_outcomes allows ' || getvariable('max_outcomes') || ': each sum of them by your groups tells something of your rows');
SELECT require(coalesce(bool_and(kinds = 1 AND nulls), true), 'the peer''s outcomes are not the same for each bucket')
FROM (SELECT count(DISTINCT (name, type, scale)) AS kinds, bool_and(nullable) AS nulls FROM aggregate_theirs WHERE use = 'measure' GROUP BY (position - 1) % getvariable('outcome_count'));
SET VARIABLE groups = (SELECT count(*) FROM (FROM aggregate_own UNION ALL BY NAME FROM aggregate_theirs) WHERE use = 'group');

-- the result's columns: the segments, by their names at who has them
SET VARIABLE result_columns = (
    SELECT coalesce(list(lower(name) ORDER BY position), []::VARCHAR[]) FROM (FROM aggregate_own UNION ALL BY NAME FROM aggregate_theirs)
    WHERE use = 'group' AND position < getvariable('groups'))
    || CASE WHEN getvariable('groups') > 1 THEN ['all_segments'] ELSE [] END
    || ['outcome', 'suppressed', 'persons_treatment', 'persons_control', 'matched_treatment', 'matched_control', 'count_treatment', 'count_control',
        'total_treatment', 'total_control', 'mean_treatment', 'mean_control', 'variance_treatment', 'variance_control', 'difference', 'standard_error',
        'difference_low', 'difference_high', 'lift', 'lift_low', 'lift_high', 'p_value', 'incremental'];
SELECT require(NOT getvariable('receives') OR len(list_distinct(list_transform(getvariable('result_columns'), lambda c: duckpriv_folded(c)))) = len(getvariable('result_columns')),
               'two columns of the result would have one name; rename the column of a segment');
-- an earlier result may have other columns, and goes
SELECT require_result(getvariable('result'), getvariable('result_columns'))
WHERE getvariable('receives')
  AND NOT EXISTS (FROM duckdb_tables() WHERE duckpriv_folded(table_name) = duckpriv_folded(getvariable('result')) AND NOT temporary
                  AND (database_name, schema_name) = (current_database(), current_schema()) AND comment = 'made by duckpriv run lift');
