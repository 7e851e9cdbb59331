-- The text of the query that psi_ids runs: SELECT <id>, <psi_id> FROM <table>.
CREATE MACRO duckpriv_psi_ids_query(tbl, columns, kinds) AS
    'SELECT ' || duckpriv.main.duckpriv_key_expression(columns) || ' AS id, ' || CASE
        WHEN len(kinds) NOT IN (1, len(columns))
            THEN error('DUCKPRIV_INVALID_VALUE: give one kind of id for all id columns, or one each')
        WHEN len(columns) = 1
            THEN 'duckpriv.main.psi_id(' || duckpriv.main.duckpriv_quoted(columns[1]) || ', ' || kinds[1] || ')'
        ELSE 'duckpriv.main.psi_id([' || array_to_string(list_transform(range(1, len(columns) + 1), lambda i:
                 'duckpriv.main.psi_id(' || duckpriv.main.duckpriv_quoted(columns[i]) || ', ' || kinds[least(i, len(kinds))] || ')'), ', ')
             || '])'
    END || ' AS psi_id FROM ' || duckpriv.main.duckpriv_source(tbl);

CREATE MACRO psi_ids(tbl, id, kind := 'raw') AS TABLE
    FROM query(duckpriv.main.duckpriv_psi_ids_query(
        tbl, duckpriv.main.split_names(id),
        list_transform(string_split(kind, ','), lambda part: duckpriv.main.duckpriv_literal(trim(part)))));
