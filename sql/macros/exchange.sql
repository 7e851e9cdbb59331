-- Each row of the query goes as a STRUCT to the function that writes it. The message is published
-- by the statement's last step, so a query that fails publishes nothing. any_value(row)
-- carries the columns' types even where there is no row.
CREATE MACRO exchange_send(peer, channel, query) AS TABLE
    WITH message AS MATERIALIZED (
        SELECT duckpriv_udf_exchange_open(
            peer, channel,
            CAST(coalesce(getvariable('duckpriv_protocol'), '') AS VARCHAR),
            CAST(coalesce(getvariable('duckpriv_parameters'), '') AS VARCHAR)) AS handle
    ), staged AS (
        SELECT duckpriv_row,
               duckpriv_udf_exchange_stage(
                   (SELECT handle FROM message), typeof(duckpriv_row), duckpriv_row) AS written
        FROM query(query) AS duckpriv_row
    ), published AS MATERIALIZED (
        SELECT duckpriv_udf_exchange_publish(
            (SELECT handle FROM message), CAST(coalesce(sum(written), 0) AS BIGINT),
            typeof(any_value(duckpriv_row)), any_value(duckpriv_row)) AS sent
        FROM staged
    )
    SELECT unnest(sent) FROM published;

-- The function runs while DuckDB binds the statement: it waits for the message, checks it, and
-- returns the query that scans the checked copy.
CREATE MACRO exchange_recv(peer, channel) AS TABLE
    FROM query(duckpriv_udf_exchange_source(
        peer, channel,
        CAST(coalesce(getvariable('duckpriv_protocol'), '') AS VARCHAR),
        CAST(coalesce(getvariable('duckpriv_parameters'), '') AS VARCHAR)));
