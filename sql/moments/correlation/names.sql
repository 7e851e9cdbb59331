-- how both call their columns
CALL exchange_send(getvariable('peer'), 'correlation/names', $$
    SELECT place, name FROM correlation_columns WHERE party = getvariable('me') ORDER BY place $$);
CREATE OR REPLACE TEMP TABLE correlation_names AS
    FROM exchange_recv(getvariable('peer'), 'correlation/names', columns := 'place BIGINT, name VARCHAR');
SELECT require((SELECT list(place ORDER BY place) FROM correlation_names)
               = (SELECT list(place ORDER BY place) FROM correlation_columns WHERE party = getvariable('peer'))
               AND (SELECT bool_and(length(name) BETWEEN 1 AND 1000) FROM correlation_names), 'the peer did not name each of its columns once');
CREATE OR REPLACE TEMP TABLE correlation_columns AS
    SELECT place, party, coalesce(party || ' ' || n.name, c.name) AS name, role, hidden
    FROM correlation_columns c LEFT JOIN correlation_names n USING (place) ORDER BY place;
