-- the result's columns, by the names of the columns of both; a party's name comes before one that both have
CREATE OR REPLACE TEMP TABLE aggregate_names AS
    SELECT *, CASE WHEN count(*) OVER (PARTITION BY use, duckpriv_folded(name)) > 1 OR use = 'group' AND duckpriv_folded(name) IN ('rows', 'suppressed', 'total')
                   THEN party || '_' || name ELSE name END AS shown_as,
           row_number() OVER (PARTITION BY use ORDER BY of_guest, position) AS number
    FROM (SELECT NOT getvariable('leads') AS of_guest, getvariable('me') AS party, use, position, name, type, scale FROM aggregate_own
          UNION ALL
          SELECT getvariable('leads'), getvariable('peer'), use, position, name, type, scale FROM aggregate_theirs);
SET VARIABLE result_columns = (
    SELECT list(lower(column_name))
    FROM (SELECT shown_as AS column_name FROM aggregate_names WHERE use = 'group'
          UNION ALL SELECT 'total' WHERE getvariable('totals') = 'yes'
          UNION ALL SELECT unnest(['rows', 'suppressed'])
          UNION ALL SELECT shown_as || unnest(['_count', '_sum', '_avg', '_var', '_suppressed']) FROM aggregate_names WHERE use = 'measure'));
SELECT require(NOT getvariable('receives') OR len(list_distinct(list_transform(getvariable('result_columns'), lambda c: duckpriv_folded(c)))) = len(getvariable('result_columns')),
               'two columns of the result would have one name; rename a column to group by, or a measure');
-- an earlier result may have other columns, and goes
SELECT require_result(getvariable('result'), getvariable('result_columns'))
WHERE getvariable('receives')
  AND NOT EXISTS (FROM duckdb_tables() WHERE duckpriv_folded(table_name) = duckpriv_folded(getvariable('result')) AND NOT temporary
                  AND (database_name, schema_name) = (current_database(), current_schema()) AND comment = 'made by duckpriv run aggregate');
