-- The text of the query that matrix_rows runs. Names of a macro's parameters stand for their
-- values wherever they occur in its body, so that text is made in a macro of its own.
CREATE MACRO duckpriv_matrix_query(tbl, key_column, columns, list_column, all_columns) AS
    'SELECT row_number() OVER (ORDER BY id) AS row, id, x FROM (SELECT '
    || key_column || ' AS id, CAST(' || CASE
        WHEN list_column <> '' THEN '"' || replace(list_column, '"', '""') || '"'
        WHEN all_columns
            THEN '[*COLUMNS(lambda c: c <> ''' || replace(trim(key_column, '"'), '''', '''''') || ''')]'
        ELSE '[' || array_to_string(columns, ', ') || ']'
    END || ' AS DOUBLE[]) AS x FROM query_table(''' || replace(tbl, '''', '''''') || '''))';

CREATE MACRO matrix_rows(tbl, id, columns := '', list := '', names := NULL) AS TABLE
    FROM query(duckpriv.main.duckpriv_matrix_query(
        tbl, '"' || replace(id, '"', '""') || '"',
        list_transform(coalesce(CAST(names AS VARCHAR[]),
                                list_filter(list_transform(string_split(columns, ','), lambda c: trim(c)), lambda c: c <> '')),
                       lambda c: 'CAST("' || replace(c, '"', '""') || '" AS DOUBLE)'),
        list, names IS NULL AND trim(columns, ', ') = ''));

CREATE MACRO paillier_encrypt_matrix(tbl, key, id := 'id', columns := '', list := '', scale := 20, bound := 40, slot_bits := 192) AS TABLE
    SELECT row, duckpriv.main.paillier_encrypt_list(
               x, key, scale := scale, bound := bound, slot_bits := slot_bits) AS ct
    FROM duckpriv.main.matrix_rows(tbl, id, columns := columns, list := list);
