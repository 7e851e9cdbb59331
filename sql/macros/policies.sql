-- Columns and what they are used for, as the variable `policy` of a script has them (sql/shared/policy.sql).
CREATE MACRO policy_uses(names, purpose) AS
    CASE WHEN purpose IS NOT NULL THEN list_transform(CAST(names AS VARCHAR[]), lambda name: {'column_name': name, 'use': CAST(purpose AS VARCHAR)}) END;

CREATE MACRO duckpriv_name_parts(name) AS
    list_transform(regexp_extract_all(name, '(?s)"(?:[^"]|"")*"|[^."]+'), lambda part: duckpriv.main.duckpriv_folded(duckpriv.main.plain_name(part)));

CREATE MACRO duckpriv_is_query(tbl) AS NOT starts_with(duckpriv.main.duckpriv_source(tbl), 'query_table(');

-- One text for each table: its schema and name, and its database if that is not the one that is used; a file or a call of a
-- table function as it is written.
CREATE MACRO duckpriv_canonical(parts) AS
    array_to_string(list_transform(CASE WHEN len(parts) > 2 AND parts[1] = duckpriv.main.duckpriv_folded(current_database()) THEN parts[2:] ELSE parts END,
                                   lambda part: CASE WHEN regexp_full_match(part, '[a-z_][a-z0-9_]*') THEN part ELSE duckpriv.main.duckpriv_quoted(part) END), '.');

CREATE MACRO duckpriv_relations() AS TABLE
    SELECT [duckpriv.main.duckpriv_folded(d), duckpriv.main.duckpriv_folded(s), duckpriv.main.duckpriv_folded(n)] AS parts,
           duckpriv.main.duckpriv_quoted(d) || '.' || duckpriv.main.duckpriv_quoted(s) || '.' || duckpriv.main.duckpriv_quoted(n) AS written
    FROM (SELECT database_name AS d, schema_name AS s, table_name AS n FROM duckdb_tables() WHERE NOT internal
          UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal);

-- The table that DuckDB takes for this name: a temporary one, or the first of the search path.
CREATE MACRO duckpriv_table_named(tbl) AS (
    SELECT CASE WHEN tbl IS NULL THEN NULL WHEN duckpriv.main.duckpriv_is_query(tbl) THEN trim(tbl)
                ELSE coalesce(arg_min(duckpriv.main.duckpriv_canonical(parts), place) FILTER (place IS NOT NULL),
                              duckpriv.main.duckpriv_canonical(CASE WHEN len(any_value(name)) = 1
                                  THEN [duckpriv.main.duckpriv_folded(current_schema())] || any_value(name) ELSE any_value(name) END)) END
    FROM (SELECT name, parts,
                 CASE WHEN parts[3] <> name[len(name)] THEN NULL
                      WHEN len(name) = 3 THEN CASE WHEN parts = name THEN 1 END
                      WHEN len(name) = 2 THEN CASE WHEN parts[2] = name[1] AND parts[1] = duckpriv.main.duckpriv_folded(current_database()) THEN 1
                                                   WHEN parts[1] = name[1] AND parts[2] = 'main' THEN 2 END
                      WHEN parts[1] = 'temp' THEN 0
                      ELSE list_position(list_transform(path, lambda entry: CASE WHEN len(entry) = 1
                               THEN [duckpriv.main.duckpriv_folded(current_database())] || entry ELSE entry END), parts[:2]) END AS place
          FROM (SELECT duckpriv.main.duckpriv_name_parts(tbl) AS name,
                       list_transform(regexp_extract_all(coalesce(nullif(current_setting('search_path'), ''),
                                          duckpriv.main.duckpriv_quoted(current_database()) || '.' || duckpriv.main.duckpriv_quoted(current_schema())),
                                          '(?s)(?:"(?:[^"]|"")*"|[^,"])+'),
                                      lambda entry: duckpriv.main.duckpriv_name_parts(entry)) AS path)
          LEFT JOIN duckpriv.main.duckpriv_relations() ON true));

-- The table that a row of duckpriv_policies means: without a schema it is one beside duckpriv_policies.
CREATE MACRO duckpriv_policy_table(home, tbl) AS
    CASE WHEN duckpriv.main.duckpriv_is_query(tbl) THEN trim(tbl)
         ELSE duckpriv.main.duckpriv_canonical(home[: greatest(3 - len(duckpriv.main.duckpriv_name_parts(tbl)), 0)] || duckpriv.main.duckpriv_name_parts(tbl)) END;

-- The rows of duckpriv_policies with what they have been used for: how many releases of the ledger each row covers, and their
-- noise together.
CREATE MACRO duckpriv_policy_rules(policies, releases) AS TABLE
    SELECT rule, p.tbl, p.written, p.column_name, p.peer, p.use, p.minimum, p.budget, p.epsilon,
           count(r.number) AS released, coalesce(fsum(r.epsilon), 0) AS spent
    FROM (SELECT row_number() OVER () AS rule, duckpriv.main.duckpriv_policy_table(home, table_name) AS tbl, table_name AS written,
                 column_name, peer, use, minimum, budget, epsilon
          FROM query(policies)) p
    LEFT JOIN query(releases) r
        ON r.table_name = p.tbl AND p.peer IN ('*', r.peer)
           AND len(list_filter(r.columns, lambda c: c.use = p.use AND (p.column_name = '*'
                   OR duckpriv.main.duckpriv_folded(c.column_name) = duckpriv.main.duckpriv_folded(p.column_name)))) > 0
    GROUP BY ALL;

-- What duckpriv_policies does not allow of a release, in one text each.
CREATE MACRO duckpriv_policy_problems(policies, releases, tbl, peers, uses, minimum, epsilon) AS TABLE
    WITH rules AS (FROM duckpriv.main.duckpriv_policy_rules(policies, releases)),
    needed AS (
        SELECT DISTINCT duckpriv.main.duckpriv_table_named(tbl) AS tbl, u.column_name AS column_name, u.use AS use, peer
        FROM (SELECT unnest(uses) AS u), (SELECT unnest(peers) AS peer)),
    covered AS (
        SELECT n.*, 'table ' || r.written || ', column ' || r.column_name || ', peer ' || r.peer || ', use ' || r.use AS about,
               r.rule, r.minimum AS least, r.budget, r.epsilon AS noise, r.released, r.spent
        FROM needed n JOIN rules r ON r.tbl = n.tbl AND r.use = n.use AND r.peer IN ('*', n.peer)
            AND (r.column_name = '*' OR duckpriv.main.duckpriv_folded(r.column_name) = duckpriv.main.duckpriv_folded(n.column_name))),
    asked AS (SELECT rule, about, least, budget, noise, released, spent, count(DISTINCT peer) AS more FROM covered GROUP BY ALL)
    SELECT 1 AS place, 'duckpriv_policies does not allow table ' || n.tbl || ', column ' || n.column_name || ', peer ' || n.peer || ', use ' || n.use
           || '; leave the column out, or have the owner of the data add a row: INSERT INTO duckpriv_policies (table_name, column_name, peer, use) VALUES ('
           || array_to_string([duckpriv.main.duckpriv_literal(part) FOR part IN [n.tbl, n.column_name, n.peer, n.use]], ', ') || ')' AS problem
    FROM needed n ANTI JOIN covered USING (column_name, use, peer)
    UNION ALL
    SELECT 2, 'duckpriv_policies has a minimum of ' || least || ' rows (' || about || '), and this run may release what is about '
           || CASE WHEN minimum IS NULL THEN 'fewer: it cannot tell how many' ELSE CAST(minimum AS VARCHAR) END
    FROM asked WHERE least > coalesce(minimum, 0)
    UNION ALL
    SELECT 3, 'the budget of duckpriv_policies is used up: ' || released || ' of ' || budget || ' releases are in duckpriv_releases, and this run makes '
           || more || ' more (' || about || ')'
    FROM asked WHERE released + more > budget
    UNION ALL
    SELECT 4, 'duckpriv_policies asks for noise with an epsilon of ' || noise || ' in all, of which ' || round(noise - spent, 6) || ' is left (' || about
           || '), and this run ' || CASE WHEN epsilon IS NULL THEN 'adds none' ELSE 'takes ' || CAST(more * epsilon AS VARCHAR) END
    FROM asked WHERE noise IS NOT NULL AND NOT coalesce(spent + more * epsilon <= noise * (1 + 1e-9), false);

-- The texts of queries of the policies and of the ledger.
CREATE MACRO duckpriv_policies_query() AS (
    SELECT coalesce(any_value('SELECT [' || duckpriv.main.duckpriv_literal(parts[1]) || ', ' || duckpriv.main.duckpriv_literal(parts[2]) || '] AS home, * FROM ' || written),
                    'SELECT [''''] AS home, '''' AS table_name, '''' AS column_name, '''' AS peer, '''' AS "use", 0 AS minimum, 0 AS budget, 0.0 AS epsilon WHERE false')
    FROM duckpriv.main.duckpriv_relations() WHERE parts[3] = 'duckpriv_policies');

CREATE MACRO duckpriv_releases_query() AS (
    SELECT coalesce(string_agg('FROM ' || written, ' UNION ALL BY NAME '),
                    'SELECT 0 AS number, '''' AS peer, '''' AS table_name, [{''column_name'': '''', ''use'': ''''}] AS columns, 0.0 AS epsilon WHERE false')
    FROM duckpriv.main.duckpriv_relations() WHERE parts[3] = 'duckpriv_releases');
