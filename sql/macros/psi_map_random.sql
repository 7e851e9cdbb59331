-- By a hash: under a collation of the user's, DISTINCT takes different tokens for one.
CREATE MACRO psi_map_random(tokens) AS TABLE
    SELECT token, duckpriv.main.random_id(token) AS pid
    FROM (SELECT any_value(token) AS token FROM query_table(tokens) WHERE token IS NOT NULL GROUP BY sha256(CAST(token AS VARCHAR)));
