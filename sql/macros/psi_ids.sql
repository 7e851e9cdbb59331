-- The text of the query that psi_ids runs: SELECT <id>, <psi_id> FROM <table>.
CREATE MACRO duckpriv_psi_ids_query(tbl, columns, kinds) AS
    'SELECT ' || CASE
        WHEN len(kinds) NOT IN (1, len(columns))
            THEN error('DUCKPRIV_INVALID_VALUE: give one kind of id for all id columns, or one each')
        WHEN len(columns) = 1
            THEN columns[1] || ' AS id, duckpriv.main.psi_id('
                 || columns[1] || ', ' || kinds[1] || ') AS psi_id'
        ELSE '[' || list_aggregate(list_transform(columns, lambda c: c || '::VARCHAR'), 'string_agg', ', ')
             || '] AS id, duckpriv.main.psi_id(['
             || list_aggregate(
                    list_transform(columns, lambda c, i:
                        'duckpriv.main.psi_id(' || c || ', ' || kinds[least(i, len(kinds))] || ')'),
                    'string_agg', ', ')
             || ']) AS psi_id'
    END || ' FROM query_table(''' || replace(tbl, '''', '''''') || ''')';

CREATE MACRO psi_ids(tbl, id, kind := 'raw') AS TABLE
    FROM query(duckpriv.main.duckpriv_psi_ids_query(
        tbl,
        list_transform(string_split(id, ','), lambda c: '"' || replace(trim(c), '"', '""') || '"'),
        list_transform(string_split(kind, ','), lambda k: '''' || replace(trim(k), '''', '''''') || '''')));
