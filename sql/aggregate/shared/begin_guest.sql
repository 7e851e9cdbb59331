-- include named.sql

-- from the host: how many rows and groups, and a hash that shows whether both have the same rows
CREATE OR REPLACE TEMP TABLE aggregate_start AS
    FROM exchange_recv(getvariable('peer'), 'aggregate/start', columns := 'seed VARCHAR, rows BIGINT, digest VARCHAR, groups BIGINT');
SELECT require(count(*) = 1, 'the host has to send one start message'), require(bool_and(length(seed) <= 100), 'the host''s start message makes no sense')
FROM aggregate_start;
SET VARIABLE peer_places = (SELECT groups FROM aggregate_start);

CREATE OR REPLACE TEMP TABLE aggregate_rows AS
    SELECT dense_rank() OVER (ORDER BY sha256((SELECT seed FROM aggregate_start) || '/' || name)) AS row, name, place, x FROM aggregate_named;
DROP TABLE aggregate_named;
-- include check_rows.sql
SET VARIABLE rows = (SELECT count(DISTINCT row) FROM aggregate_rows);
SELECT require(count(*) = (SELECT rows FROM aggregate_start) AND sha256(getvariable('lacking_text') || string_agg(name, ',' ORDER BY row)) = (SELECT digest FROM aggregate_start),
               'the host has other rows: it has ' || (SELECT rows FROM aggregate_start) || ' and we have ' || count(*)
               || '. Use the alignments of one and the same matching')
FROM (SELECT DISTINCT row, name FROM aggregate_rows);

-- include ../../shared/release.sql

-- to the host: how many groups, and our columns
CALL exchange_send(getvariable('peer'), 'aggregate/shape', $$ SELECT getvariable('own_places')::BIGINT AS groups $$);
-- include send_columns.sql
