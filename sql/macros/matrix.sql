-- The text of the query that matrix_rows runs. Names of a macro's parameters stand for their
-- values wherever they occur in its body, so that text is made in a macro of its own. Without columns each is cast by
-- itself: a list of different types has the narrowest one that takes all of them. The order of texts is that of their
-- bytes, whatever collation is set.
CREATE MACRO duckpriv_matrix_query(tbl, keys, columns, list_column) AS
    'SELECT row_number() OVER (ORDER BY CASE WHEN typeof(id) = ''VARCHAR'' THEN encode(CAST(id AS VARCHAR)) END ASC, id ASC) AS row, '
    || 'id, x FROM (' || CASE
        WHEN list_column <> ''
            THEN 'SELECT ' || duckpriv.main.duckpriv_key_expression(keys) || ' AS id, duckpriv.main.duckpriv_exact_lists('
                 || duckpriv.main.duckpriv_quoted(list_column) || ') AS x FROM ' || duckpriv.main.duckpriv_source(tbl)
        WHEN columns IS NULL
            THEN 'SELECT "duckpriv_internal_id" AS id, [*COLUMNS(lambda c: c <> ''duckpriv_internal_id'')] AS x FROM (SELECT '
                 || duckpriv.main.duckpriv_key_expression(keys)
                 || ' AS "duckpriv_internal_id", duckpriv.main.duckpriv_exact_column(COLUMNS(lambda c: NOT list_contains(['
                 || array_to_string(list_transform(keys, lambda part:
                        duckpriv.main.duckpriv_literal(duckpriv.main.duckpriv_folded(part))), ', ')
                 || '], duckpriv.main.duckpriv_folded(c)))) FROM '
                 || duckpriv.main.duckpriv_source(tbl) || ')'
        ELSE 'SELECT ' || duckpriv.main.duckpriv_key_expression(keys) || ' AS id, ['
             || array_to_string(list_transform(columns, lambda part:
                    'duckpriv.main.duckpriv_exact_column(' || duckpriv.main.duckpriv_quoted(part) || ')'), ', ')
             || ']::DOUBLE[] AS x FROM ' || duckpriv.main.duckpriv_source(tbl)
    END || ')';

CREATE MACRO matrix_rows(tbl, id, columns := '', list := '', names := NULL) AS TABLE
    FROM query(duckpriv.main.duckpriv_matrix_query(
        tbl, duckpriv.main.split_names(id),
        coalesce(CAST(names AS VARCHAR[]), nullif(duckpriv.main.split_names(columns), [])),
        duckpriv.main.plain_name(list)));

CREATE MACRO paillier_encrypt_matrix(tbl, key, id := 'id', columns := '', list := '', scale := 20, bound := 30, slot_bits := 192) AS TABLE
    SELECT row, duckpriv.main.paillier_encrypt_list(
               x, key, scale := scale, bound := bound, slot_bits := slot_bits) AS ct
    FROM duckpriv.main.matrix_rows(tbl, id, columns := columns, list := list);
