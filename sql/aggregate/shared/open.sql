-- part opened

-- our shares of what is shown
CREATE OR REPLACE TEMP TABLE aggregate_opened AS
    SELECT cell, wide_encode(list(share ORDER BY what)) AS share FROM aggregate_shares JOIN aggregate_shown USING (cell) WHERE shown AND what < 3 GROUP BY cell;
CREATE OR REPLACE TEMP TABLE aggregate_labels AS
    SELECT place, CAST(labels::JSON AS VARCHAR[]) AS labels FROM aggregate_groups;

-- part send if getvariable('peer_receives')

CALL exchange_send(getvariable('peer'), 'aggregate/opened', $$ SELECT cell, share FROM aggregate_opened ORDER BY cell $$);
CALL exchange_send(getvariable('peer'), 'aggregate/groups', $$
    SELECT place, position, label IS NULL AS missing, coalesce(label, '') AS label
    FROM (SELECT place, generate_subscripts(labels, 1)::BIGINT AS position, unnest(labels) AS label FROM aggregate_labels) ORDER BY place, position $$);

-- part receive if getvariable('receives')

CREATE OR REPLACE TEMP TABLE aggregate_peer_opened AS FROM exchange_recv(getvariable('peer'), 'aggregate/opened', columns := 'cell BIGINT, share BLOB');
SELECT require((SELECT list(cell ORDER BY cell) FROM aggregate_peer_opened) IS NOT DISTINCT FROM (SELECT list(cell ORDER BY cell) FROM aggregate_opened),
               'the peer did not open what is shown, each once');
CREATE OR REPLACE TEMP TABLE aggregate_values AS
    SELECT cell, list_transform(wide_decode(wide_add(o.share, p.share)), lambda v: wide_integer(v)) AS numbers
    FROM aggregate_opened o JOIN aggregate_peer_opened p USING (cell);
SET VARIABLE peer_columns = (SELECT count(*) FROM aggregate_theirs WHERE use = 'group');
CREATE OR REPLACE TEMP TABLE aggregate_peer_groups AS
    FROM exchange_recv(getvariable('peer'), 'aggregate/groups', columns := 'place BIGINT, position BIGINT, missing BOOLEAN, label VARCHAR');
SELECT require(coalesce(bool_and(position BETWEEN 1 AND getvariable('peer_columns') AND length(label) <= 1000), true)
               AND is_numbered((place - 1) * getvariable('peer_columns') + position, getvariable('peer_places') * getvariable('peer_columns')),
               'the peer did not name each of its groups once')
FROM aggregate_peer_groups;
CREATE OR REPLACE TEMP TABLE aggregate_peer_labels AS
    SELECT place, coalesce(list(CASE WHEN NOT missing THEN label END ORDER BY position) FILTER (position IS NOT NULL), []::VARCHAR[]) AS labels
    FROM (SELECT place::BIGINT AS place FROM range(1, getvariable('peer_places') + 1) t(place)) LEFT JOIN aggregate_peer_groups USING (place) GROUP BY place;
