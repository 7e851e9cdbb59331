CREATE MACRO psi_map_random(tokens) AS TABLE
    SELECT token, duckpriv.main.random_id(token) AS pid
    FROM (SELECT DISTINCT token FROM query_table(tokens) WHERE token IS NOT NULL);
