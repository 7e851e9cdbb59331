-- Whether the owner of the data allows this run: docs/policies.md. It stands before the first message, behind
--
--     SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
--                            uses: policy_uses(['age', 'city'], 'group') || policy_uses(['income'], 'measure'),
--                            minimum: 20::BIGINT, epsilon: NULL::DOUBLE};
--
-- where `peers` are all who learn something of the table; `uses` are columns with what each is used for: match, group, measure, train,
-- score; `minimum` is the smallest number of rows that a released number may be about, NULL if the script cannot tell; and
-- `epsilon` is that of the noise of all that is released to one peer, NULL if there is none. Behind it, right before the first message that depends on
-- the data, stands release.sql.

-- include ledger.sql

-- the owner's policies, if there are any
SELECT require(count(*) <= 1, 'there are several tables duckpriv_policies: ' || string_agg(written, ', ') || '; keep one of them')
FROM duckpriv_relations() WHERE parts[3] = 'duckpriv_policies';
SET VARIABLE policies_table = (SELECT any_value(written) FROM duckpriv_relations() WHERE parts[3] = 'duckpriv_policies');
SET VARIABLE has_policies = getvariable('policies_table') IS NOT NULL;
SET VARIABLE policies = duckpriv_policies_query();
SET VARIABLE releases = duckpriv_releases_query();
SELECT require(bool_and(list_sort(names, 'ASC') = ['alignment', 'columns', 'epsilon', 'minimum', 'number', 'numbers', 'peer', 'released_at', 'script',
                                                   'session', 'table_name', 'what']),
               'a table duckpriv_releases does not have the columns of the ledger; rename it')
FROM (SELECT list(duckpriv_folded(column_name)) AS names FROM duckdb_columns()
      WHERE duckpriv_folded(table_name) = 'duckpriv_releases' GROUP BY database_name, schema_name);
SELECT require(count(*) = 0 OR list_sort(list(duckpriv_folded(column_name) || ' ' || CASE
                   WHEN regexp_full_match(column_type, 'U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER') THEN 'BIGINT'
                   WHEN regexp_full_match(column_type, 'FLOAT|DECIMAL\(.*\)') THEN 'DOUBLE' ELSE column_type END), 'ASC')
               = ['budget BIGINT', 'column_name VARCHAR', 'epsilon DOUBLE', 'minimum BIGINT', 'peer VARCHAR', 'table_name VARCHAR', 'use VARCHAR'],
               'the columns of duckpriv_policies have to be table_name VARCHAR, column_name VARCHAR, peer VARCHAR, use VARCHAR, minimum BIGINT, budget '
               || 'BIGINT and epsilon DOUBLE, and they are ' || string_agg(column_name || ' ' || column_type, ', '))
FROM query(coalesce('DESCRIBE FROM ' || getvariable('policies_table'), 'SELECT '''' AS column_name, '''' AS column_type WHERE false'));

-- a row that says nothing is a mistake
SELECT require(count(*) = 0, 'in duckpriv_policies the row for table ' || coalesce(any_value(table_name), 'NULL') || ', column '
               || coalesce(any_value(column_name), 'NULL') || ', peer ' || coalesce(any_value(peer), 'NULL') || ', use ' || coalesce(any_value("use"), 'NULL')
               || ' says nothing: each names a table, a column or *, a peer or *, and a use (match, group, measure, train or score); minimum and budget are '
               || 'not negative, and epsilon is more than 0')
FROM query(getvariable('policies'))
WHERE NOT coalesce(table_name <> '' AND column_name <> '' AND peer <> '' AND "use" IN ('match', 'group', 'measure', 'train', 'score'), false)
   OR minimum < 0 OR budget < 0 OR NOT coalesce(epsilon > 0 AND isfinite(epsilon::DOUBLE), true);
SELECT require(count(*) = 0, 'duckpriv_policies has a row for a column that table ' || any_value(r.written) || ' does not have: ' || any_value(r.column_name))
FROM query(CASE WHEN getvariable('has_policies')
               THEN 'FROM duckpriv_policy_rules(getvariable(''policies''), getvariable(''releases'')) WHERE tbl = duckpriv_table_named(getvariable(''policy'').tbl)'
               ELSE 'SELECT '''' AS tbl, '''' AS written, '''' AS column_name WHERE false' END) r
JOIN (SELECT duckpriv_canonical([duckpriv_folded(database_name), duckpriv_folded(schema_name), duckpriv_folded(table_name)]) AS tbl,
             list(duckpriv_folded(column_name)) AS names
      FROM duckdb_columns() GROUP BY ALL) t
    ON t.tbl = r.tbl
WHERE r.column_name <> '*' AND NOT list_contains(names, duckpriv_folded(r.column_name));

-- what the owner allows
SELECT require(NOT getvariable('has_policies') OR getvariable('policy').tbl IS NOT NULL,
               'there is a table duckpriv_policies, and it is not known from which table this was computed; compute it again'),
       require(len(getvariable('policy').peers) > 0 AND len(list_filter(getvariable('policy').uses,
                   lambda u: u.use NOT IN ('match', 'group', 'measure', 'train', 'score'))) = 0,
               'policy needs peers, and uses of columns: match, group, measure, train or score');
SET VARIABLE policy_problems = CASE WHEN getvariable('has_policies')
    THEN 'FROM duckpriv_policy_problems(getvariable(''policies''), getvariable(''releases''), getvariable(''policy'').tbl, getvariable(''policy'').peers, '
         || 'getvariable(''policy'').uses, getvariable(''policy'').minimum, getvariable(''policy'').epsilon)'
    ELSE 'SELECT 0 AS place, '''' AS problem WHERE false' END;
SELECT require(count(*) = 0, arg_min(problem, place)) FROM query(getvariable('policy_problems'));
