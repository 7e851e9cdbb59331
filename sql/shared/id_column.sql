SET VARIABLE key_query = (SELECT CASE WHEN getvariable('key') = ''
                                      THEN duckpriv_possible_keys_query(getvariable('table'), list(column_name ORDER BY position), getvariable('alignment'))
                                      ELSE 'SELECT NULL::VARCHAR AS column_name WHERE false' END
                          FROM table_columns(getvariable('table')));
SET VARIABLE key_query = (SELECT duckpriv_keys_query(getvariable('table'), list(column_name), getvariable('alignment'))
                          FROM query(getvariable('key_query')));
SET VARIABLE id_column = CASE WHEN getvariable('key') <> '' THEN duckpriv_written(getvariable('table'), getvariable('key'))
    ELSE (SELECT CASE WHEN count(*) = 1 THEN duckpriv_quoted(any_value(column_name)) END FROM query(getvariable('key_query'))) END;
SELECT require(getvariable('id_column') IS NOT NULL,
               'no column of the table, or more than one, holds every id of the alignment; name it with --set key=COLUMN, '
               || 'or where the id has several columns, all of them with commas between, in the order of the matching');
