-- Each row of the query goes as a STRUCT to the function that writes it. The message is published
-- by the statement's last step, so a query that fails publishes nothing. any_value(row)
-- carries the columns' types even where there is no row. The query sees the names of
-- this statement's parts before its own tables, hence their prefix.
CREATE MACRO exchange_send(peer, channel, query) AS TABLE
    WITH duckpriv_internal_message AS MATERIALIZED (
        SELECT duckpriv_udf_exchange_open(
            coalesce(peer, ''), coalesce(channel, ''),
            CAST(coalesce(getvariable('duckpriv_protocol'), '') AS VARCHAR),
            CAST(coalesce(getvariable('duckpriv_parameters'), '') AS VARCHAR)) AS handle
    ), duckpriv_internal_staged AS (
        SELECT duckpriv_internal_row,
               duckpriv_udf_exchange_stage(
                   (SELECT handle FROM duckpriv_internal_message),
                   typeof(duckpriv_internal_row), duckpriv_internal_row) AS written
        FROM query(query) AS duckpriv_internal_row
    ), duckpriv_internal_published AS MATERIALIZED (
        SELECT duckpriv_udf_exchange_publish(
            (SELECT handle FROM duckpriv_internal_message),
            CAST(coalesce(sum(written), 0) AS BIGINT),
            typeof(any_value(duckpriv_internal_row)), any_value(duckpriv_internal_row)) AS sent
        FROM duckpriv_internal_staged
    )
    SELECT unnest(sent) FROM duckpriv_internal_published;

-- The function runs while DuckDB binds the statement: it waits for the message, checks it, and
-- returns the query that scans the checked copy.
CREATE MACRO exchange_recv(peer, channel, columns := '') AS TABLE
    FROM query(duckpriv_udf_exchange_source(
        coalesce(peer, ''), coalesce(channel, ''), columns,
        CAST(coalesce(getvariable('duckpriv_protocol'), '') AS VARCHAR),
        CAST(coalesce(getvariable('duckpriv_parameters'), '') AS VARCHAR)));

CREATE MACRO exchange_recv_all(peers, channel, columns := '') AS TABLE
    FROM query(duckpriv_udf_exchange_source_all(
        coalesce(peers, ''), coalesce(channel, ''), columns,
        CAST(coalesce(getvariable('duckpriv_protocol'), '') AS VARCHAR),
        CAST(coalesce(getvariable('duckpriv_parameters'), '') AS VARCHAR)));

CREATE MACRO exchange_bytes() AS duckpriv_udf_exchange_bytes(1);
