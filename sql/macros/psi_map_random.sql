CREATE MACRO psi_map_random(host_tokens, guest_tokens) AS TABLE
    SELECT token, duckpriv.main.random_id(token) AS pid,
           coalesce(in_host, false) AS in_host, coalesce(in_guest, false) AS in_guest
    FROM (SELECT DISTINCT token, true AS in_host
          FROM query_table(host_tokens) WHERE token IS NOT NULL)
    FULL JOIN (SELECT DISTINCT token, true AS in_guest
               FROM query_table(guest_tokens) WHERE token IS NOT NULL) USING (token);
