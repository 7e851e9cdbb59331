-- DuckDB compares the letters a to z of a name without regard to case, and no others.
CREATE MACRO duckpriv_folded(name) AS
    translate(name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');

-- A name as people write it: as it is, or in double quotes as in SQL.
CREATE MACRO plain_name(name) AS
    CASE WHEN regexp_full_match(trim(name), '(?s)"([^"]|"")+"') THEN replace(trim(name)[2:-2], '""', '"') ELSE trim(name) END;

CREATE MACRO split_names(names) AS
    CASE WHEN names IS NULL THEN NULL
         WHEN regexp_full_match(names || ',', '(?s)(\s*("([^"]|"")*"|[^",\s][^,]*|)\s*,)*')
         THEN list_filter(list_transform(regexp_extract_all(names || ',', '(?s)\s*("(?:[^"]|"")*"|[^",\s][^,]*|)\s*,', 1),
                                         lambda part: duckpriv.main.plain_name(part)), lambda part: part <> '')
         ELSE error('DUCKPRIV_INVALID_VALUE: names stand with commas between them; one with a comma, or with a quote at its '
                    || 'beginning, stands in double quotes, as in "last, first"') END;

-- What follows FROM: a name goes to query_table, so that it is one whatever is in it; a file in quotes and a call of a
-- table function are SQL as they stand.
CREATE MACRO duckpriv_source(tbl) AS
    CASE WHEN regexp_full_match(trim(tbl), '(?s)''([^'']|'''')+''|[A-Za-z_][A-Za-z0-9_.]*\s*\(.*\)') THEN trim(tbl)
         ELSE 'query_table(''' || replace(trim(tbl), '''', '''''') || ''')' END;

-- The text of an expression: a column, or the list of the texts of several.
CREATE MACRO duckpriv_key_expression(names) AS
    CASE len(names) WHEN 0 THEN error('DUCKPRIV_INVALID_VALUE: name the id column') WHEN 1 THEN duckpriv.main.duckpriv_quoted(names[1])
         ELSE '[' || array_to_string(list_transform(names, lambda part: 'CAST(' || duckpriv.main.duckpriv_quoted(part) || ' AS VARCHAR)'), ', ') || ']' END;

CREATE MACRO duckpriv_quoted(name) AS '"' || replace(name, '"', '""') || '"';

CREATE MACRO duckpriv_literal(value) AS '''' || replace(value, '''', '''''') || '''';

-- DuckDB 1.5 knows no parameter within DESCRIBE, so that is a text.
CREATE MACRO table_columns(tbl) AS TABLE
    SELECT column_name, column_type, row_number() OVER () AS position
    FROM query('DESCRIBE FROM ' || duckpriv.main.duckpriv_source(tbl));

-- Names of columns as split_names reads them: a text that is the name of a column, commas and all, is that column.
CREATE MACRO duckpriv_written(tbl, names) AS (
    SELECT CASE WHEN count(*) FILTER (duckpriv.main.duckpriv_folded(column_name) = duckpriv.main.duckpriv_folded(trim(names))) > 0
                THEN duckpriv.main.duckpriv_quoted(trim(names)) ELSE names END
    FROM duckpriv.main.table_columns(tbl));

-- Whether DuckDB finds a table or view of this name in the database that is used, without its schema. A column of the caller's is not taken for one of these.
CREATE MACRO has_table(name) AS CASE WHEN name IS NOT NULL THEN EXISTS (
    FROM (SELECT database_name AS duckpriv_internal_database, schema_name AS duckpriv_internal_schema, table_name AS duckpriv_internal_found FROM duckdb_tables()
          UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views())
    WHERE duckpriv_internal_database IN (current_database(), 'temp')
      AND duckpriv.main.duckpriv_folded(duckpriv_internal_found) = duckpriv.main.duckpriv_folded(name)
      AND list_contains(current_schemas(true), duckpriv_internal_schema)) END;
