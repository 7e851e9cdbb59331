SET VARIABLE key_query = (SELECT duckpriv_alignment_key_query(getvariable('table'), list(column_name), getvariable('alignment'))
                          FROM (DESCRIBE FROM query_table(getvariable('table'))));
SET VARIABLE id_column = CASE WHEN getvariable('key') <> '' THEN getvariable('key')
    ELSE (SELECT CASE WHEN count(*) = 1 THEN any_value(column_name) END FROM query(getvariable('key_query'))) END;
SELECT require(getvariable('id_column') IS NOT NULL,
               'no column of the table, or more than one, holds every id of the alignment; name it with --set key=COLUMN');
