-- The text of the query that matrix_rows runs. Names of a macro's parameters stand for their
-- values wherever they occur in its body, so that text is made in a macro of its own. Without columns each is cast by
-- itself: a list of different types has the narrowest one that takes all of them.
CREATE MACRO duckpriv_matrix_query(tbl, key_column, columns, list_column, all_columns) AS
    'SELECT row_number() OVER (ORDER BY id) AS row, id, x FROM (' || CASE
        WHEN list_column <> ''
            THEN 'SELECT ' || key_column || ' AS id, duckpriv.main.exact_doubles("' || replace(list_column, '"', '""') || '") AS x FROM '
        WHEN all_columns
            THEN 'SELECT duckpriv_internal_id AS id, [*COLUMNS(lambda c: c <> ''duckpriv_internal_id'')] AS x FROM (SELECT '
                 || key_column || ' AS duckpriv_internal_id, duckpriv.main.exact_double(COLUMNS(lambda c: lower(c) <> lower('''
                 || replace(replace(key_column[2:-2], '""', '"'), '''', '''''') || '''))) FROM '
        ELSE 'SELECT ' || key_column || ' AS id, [' || array_to_string(columns, ', ') || ']::DOUBLE[] AS x FROM '
    END || 'query_table(''' || replace(tbl, '''', '''''') || ''')'
    || CASE WHEN list_column = '' AND all_columns THEN ')' ELSE '' END || ')';

CREATE MACRO matrix_rows(tbl, id, columns := '', list := '', names := NULL) AS TABLE
    FROM query(duckpriv.main.duckpriv_matrix_query(
        tbl, '"' || replace(id, '"', '""') || '"',
        list_transform(coalesce(CAST(names AS VARCHAR[]),
                                list_filter(list_transform(string_split(columns, ','), lambda c: trim(c)), lambda c: c <> '')),
                       lambda c: 'duckpriv.main.exact_double("' || replace(c, '"', '""') || '")'),
        list, names IS NULL AND trim(columns, ', ') = ''));

CREATE MACRO paillier_encrypt_matrix(tbl, key, id := 'id', columns := '', list := '', scale := 20, bound := 30, slot_bits := 192) AS TABLE
    SELECT row, duckpriv.main.paillier_encrypt_list(
               x, key, scale := scale, bound := bound, slot_bits := slot_bits) AS ct
    FROM duckpriv.main.matrix_rows(tbl, id, columns := columns, list := list);
