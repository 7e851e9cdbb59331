CREATE MACRO require(condition, message) AS
    duckpriv_udf_require(coalesce(condition, false), coalesce(message, 'a check of the script does not hold'));

-- A whole number of 32 bits: a cast to INTEGER rounds 1.5.
CREATE MACRO duckpriv_is_integer(setting) AS coalesce(TRY_CAST(setting AS INTEGER)::VARCHAR = trim(CAST(setting AS VARCHAR)), false);

-- By counts: a peer's `expected` may be any number, and range() would make as many.
CREATE MACRO is_numbered(number, expected) AS
    count(*) = expected AND count(DISTINCT number) = count(*)
    AND coalesce(min(number) = 1 AND max(number) = count(*), count(*) = 0);

-- The name is free, or stands for a table in the current schema that has exactly these columns.
CREATE MACRO require_result(tbl, columns) AS duckpriv.main.require(
    NOT EXISTS (FROM duckdb_views()
                WHERE duckpriv.main.duckpriv_folded(view_name) = duckpriv.main.duckpriv_folded(tbl)
                  AND (temporary OR (database_name, schema_name) = (current_database(), current_schema())))
    AND NOT EXISTS (FROM duckdb_tables() WHERE duckpriv.main.duckpriv_folded(table_name) = duckpriv.main.duckpriv_folded(tbl) AND temporary)
    AND coalesce((SELECT list(lower(column_name) ORDER BY lower(column_name) ASC) FROM duckdb_columns()
                  WHERE duckpriv.main.duckpriv_folded(table_name) = duckpriv.main.duckpriv_folded(tbl) AND database_name = current_database()
                    AND schema_name = current_schema()), list_sort(columns, 'ASC')) = list_sort(columns, 'ASC'),
    'the result goes into a table "' || tbl || '", and you have something else of that name; rename it, or name the result otherwise with --set result=NAME (or log=NAME)');
