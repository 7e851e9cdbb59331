-- The text of the query that matrix_rows runs. Names of a macro's parameters stand for their
-- values wherever they occur in its body, so that text is made in a macro of its own.
CREATE MACRO duckpriv_matrix_query(tbl, key_column, columns, list_column) AS
    'SELECT row_number() OVER (ORDER BY id) AS row, id, x FROM (SELECT '
    || key_column || ' AS id, CAST(' || CASE
        WHEN list_column <> '' THEN '"' || replace(list_column, '"', '""') || '"'
        WHEN len(columns) = 0
            THEN '[*COLUMNS(lambda c: c <> ''' || replace(trim(key_column, '"'), '''', '''''') || ''')]'
        ELSE '[' || list_aggregate(columns, 'string_agg', ', ') || ']'
    END || ' AS DOUBLE[]) AS x FROM query_table(''' || replace(tbl, '''', '''''') || '''))';

CREATE MACRO matrix_rows(tbl, id, columns := '', list := '') AS TABLE
    FROM query(duckpriv.main.duckpriv_matrix_query(
        tbl, '"' || replace(id, '"', '""') || '"',
        list_transform(list_filter(string_split(columns, ','), lambda c: trim(c) <> ''),
                       lambda c: 'CAST("' || replace(trim(c), '"', '""') || '" AS DOUBLE)'),
        list));

CREATE MACRO paillier_encrypt_matrix(tbl, key, id := 'id', columns := '', list := '', scale := 20, bound := 40, slot_bits := 192) AS TABLE
    SELECT row, duckpriv.main.paillier_encrypt_list(
               x, key, scale := scale, bound := bound, slot_bits := slot_bits) AS ct
    FROM duckpriv.main.matrix_rows(tbl, id, columns := columns, list := list);

-- row and x of the plain table, row and ct of the encrypted one.
CREATE MACRO he_matmul(plain_table, encrypted_table, scale := 20, bound := 40) AS TABLE
    SELECT row, duckpriv.main.he_dot(
               (SELECT list(ct ORDER BY row) FROM query_table(encrypted_table)), x,
               scale := scale, bound := bound) AS ct
    FROM query_table(plain_table);
