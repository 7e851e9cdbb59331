-- The first result of `step`, a text, that is not NULL. Each step takes a moment:
-- between two of them DuckDB (from 2.0 on) notices interrupt(), which no Python function that waits can.
-- They are enough for months.
CREATE MACRO duckpriv_patiently(step) AS
    system.main.list_reduce(system.main.list_resize([NULL::VARCHAR], 100), lambda a, i: CASE WHEN a IS NOT NULL THEN a ELSE
    system.main.list_reduce(system.main.list_resize([NULL::VARCHAR], 100), lambda b, j: CASE WHEN b IS NOT NULL THEN b ELSE
    system.main.list_reduce(system.main.list_resize([NULL::VARCHAR], 100), lambda c, k: CASE WHEN c IS NOT NULL THEN c ELSE
    system.main.list_reduce(system.main.list_resize([NULL::VARCHAR], 100), lambda d, l: CASE WHEN d IS NOT NULL THEN d ELSE
        step END, NULL::VARCHAR) END, NULL::VARCHAR) END, NULL::VARCHAR) END, NULL::VARCHAR);

-- The function runs while DuckDB binds the statement: it begins a message and returns a query that gives
-- each row, as a STRUCT, to the function that writes it, and publishes the message as its last step. So a
-- query that fails publishes nothing. It is told the statement that runs, where one does; names are written
-- out, so that no macro of the user's is taken for DuckDB's own.
CREATE MACRO exchange_send(peer, channel, query) AS TABLE
    FROM system.main.query(duckpriv_udf_exchange_begin(
        coalesce(peer, ''), coalesce(channel, ''), coalesce(query, ''),
        CAST(coalesce(system.main.getvariable('duckpriv_protocol'), '') AS VARCHAR),
        CAST(coalesce(system.main.getvariable('duckpriv_parameters'), '') AS VARCHAR),
        system.main.current_query_id(),
        CASE WHEN system.main.current_query_id() < 18446744073709551615 THEN system.main.current_query() ELSE '' END));

-- The function runs while DuckDB binds the statement: it waits for the message, checks it, and
-- returns the query that scans the checked copy. It is told the statement, too: to ask for a message says
-- something to who serves the mailbox.
CREATE MACRO exchange_recv(peer, channel, columns := '') AS TABLE
    FROM system.main.query(duckpriv_udf_exchange_source(
        coalesce(peer, ''), coalesce(channel, ''), columns,
        CAST(coalesce(system.main.getvariable('duckpriv_protocol'), '') AS VARCHAR),
        CAST(coalesce(system.main.getvariable('duckpriv_parameters'), '') AS VARCHAR),
        system.main.current_query_id(),
        CASE WHEN system.main.current_query_id() < 18446744073709551615 THEN system.main.current_query() ELSE '' END));

CREATE MACRO exchange_recv_all(peers, channel, columns := '') AS TABLE
    FROM system.main.query(duckpriv_udf_exchange_source_all(
        coalesce(peers, ''), coalesce(channel, ''), columns,
        CAST(coalesce(system.main.getvariable('duckpriv_protocol'), '') AS VARCHAR),
        CAST(coalesce(system.main.getvariable('duckpriv_parameters'), '') AS VARCHAR),
        system.main.current_query_id(),
        CASE WHEN system.main.current_query_id() < 18446744073709551615 THEN system.main.current_query() ELSE '' END));

CREATE MACRO exchange_bytes() AS duckpriv_udf_exchange_bytes(1);
