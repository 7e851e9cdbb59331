-- The text of the expression of an id: of a key of several columns, the list of their texts as one.
CREATE MACRO duckpriv_psi_id_expression(columns, kinds) AS CASE
    WHEN len(kinds) NOT IN (1, len(columns))
        THEN error('DUCKPRIV_INVALID_VALUE: give one kind of id for all id columns, or one each')
    WHEN len(columns) = 1
        THEN 'duckpriv.main.psi_id(' || duckpriv.main.duckpriv_quoted(columns[1]) || ', ' || duckpriv.main.duckpriv_literal(kinds[1]) || ')'
    ELSE 'duckpriv.main.psi_id([' || array_to_string(list_transform(range(1, len(columns) + 1), lambda i:
             'duckpriv.main.psi_id(' || duckpriv.main.duckpriv_quoted(columns[i]) || ', '
             || duckpriv.main.duckpriv_literal(kinds[least(i, len(kinds))]) || ')'), ', ')
         || '])' END;

-- The text of the query that psi_ids runs: SELECT <id>, <psi_id> FROM <table>.
CREATE MACRO duckpriv_psi_ids_query(tbl, columns, kinds) AS
    'SELECT ' || duckpriv.main.duckpriv_key_expression(columns) || ' AS id, ' || duckpriv.main.duckpriv_psi_id_expression(columns, kinds)
    || ' AS psi_id FROM ' || duckpriv.main.duckpriv_source(tbl);

CREATE MACRO duckpriv_kinds(kind) AS list_transform(string_split(kind, ','), lambda part: trim(part));

CREATE MACRO psi_ids(tbl, id, kind := 'raw') AS TABLE
    FROM query(duckpriv.main.duckpriv_psi_ids_query(tbl, duckpriv.main.split_names(id), duckpriv.main.duckpriv_kinds(kind)));

-- The columns of each key: keys stand with semicolons between them.
CREATE MACRO duckpriv_key_columns(names) AS
    CASE WHEN regexp_full_match(names || ';', '(?s)((\s*("([^"]|"")*"|[^",;\s][^,;]*|)\s*,)*\s*("([^"]|"")*"|[^",;\s][^,;]*|)\s*;)+')
         THEN list_transform(regexp_extract_all(names || ';', '(?s)((?:\s*(?:"(?:[^"]|"")*"|[^",;\s][^,;]*|)\s*,)*\s*(?:"(?:[^"]|"")*"|[^",;\s][^,;]*|)\s*);', 1),
                             lambda part: duckpriv.main.split_names(part))
         ELSE [duckpriv.main.split_names(names)] END;

-- With several keys, the number of the key is part of the id: one text is not the same id under two keys.
CREATE MACRO duckpriv_psi_keys_query(tbl, keys, kinds) AS
    'SELECT ' || duckpriv.main.duckpriv_key_expression(flatten(keys)) || ' AS id, [' || CASE
        WHEN list_contains(list_transform(keys, lambda columns: len(columns)), 0)
            THEN error('DUCKPRIV_INVALID_VALUE: between two semicolons of id there is no column')
        WHEN len(kinds) NOT IN (1, len(keys))
            THEN error('DUCKPRIV_INVALID_VALUE: give one kind of id for all keys, or one each, with semicolons between them')
        WHEN len(keys) = 1 THEN duckpriv.main.duckpriv_psi_id_expression(keys[1], kinds[1])
        ELSE array_to_string(list_transform(range(1, len(keys) + 1), lambda k:
                 'duckpriv.main.psi_id([''' || k || ''', '
                 || duckpriv.main.duckpriv_psi_id_expression(keys[k], kinds[least(k, len(kinds))]) || '])'), ', ') END
    || '] AS psi_ids FROM ' || duckpriv.main.duckpriv_source(tbl);

CREATE MACRO psi_keys(tbl, id, kind := 'raw') AS TABLE
    FROM query(duckpriv.main.duckpriv_psi_keys_query(
        tbl, duckpriv.main.duckpriv_key_columns(id),
        list_transform(string_split(kind, ';'), lambda part: duckpriv.main.duckpriv_kinds(part))));
