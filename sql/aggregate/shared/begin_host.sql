-- include named.sql

-- in an order that both parties find, and that says nothing: sorted by a hash of seed and random id
SET VARIABLE seed = (SELECT random_id(1)::VARCHAR);
CREATE OR REPLACE TEMP TABLE aggregate_rows AS
    SELECT dense_rank() OVER (ORDER BY sha256(getvariable('seed') || '/' || name)) AS row, name, place, x FROM aggregate_named;
DROP TABLE aggregate_named;
-- include check_rows.sql
SET VARIABLE rows = (SELECT count(DISTINCT row) FROM aggregate_rows);

-- include ../../shared/release.sql

-- to the guest: how many rows and groups, a hash that shows whether both have the same rows, and our columns
CALL exchange_send(getvariable('peer'), 'aggregate/start', $$
    SELECT getvariable('seed') AS seed, getvariable('rows') AS rows, sha256(getvariable('lacking_text') || string_agg(name, ',' ORDER BY row)) AS digest,
           getvariable('own_places')::BIGINT AS groups FROM (SELECT DISTINCT row, name FROM aggregate_rows) $$);
-- include send_columns.sql

-- from the guest: how many groups
CREATE OR REPLACE TEMP TABLE aggregate_shape AS FROM exchange_recv(getvariable('peer'), 'aggregate/shape', columns := 'groups BIGINT');
SELECT require(count(*) = 1, 'the guest has to send one shape') FROM aggregate_shape;
SET VARIABLE peer_places = (SELECT groups FROM aggregate_shape);
