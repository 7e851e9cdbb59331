-- Private matching by clusters, guest, before the cluster: takes the host's key, writes the own ids as files, in random order.
-- The cluster then makes `blinded` of `ids` with oprf_blind; behind it comes guest_send.sql. docs/scale.md shows both parties.
--
-- set peer             the host's name
-- set table            your table or view
-- set id               its id column, or several with commas between
-- set kind = raw       how ids are normalised: raw, trimmed, lower, email or phone
-- set folder           where the files are: it has the folder ids
-- set rows = 1048576   ids a file, and a message

-- both parties have to run with the same settings
SET VARIABLE duckpriv_protocol = 'scale/1';
SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind');

-- message 1: the host's public key
SET VARIABLE key = 'scale-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT require(count(*) = 1, 'the host has to send one key') FROM exchange_recv(getvariable('peer'), 'scale/key', columns := 'key BLOB');
SELECT key_import(getvariable('key'), key, 'oprf') AS host_key FROM exchange_recv(getvariable('peer'), 'scale/key', columns := 'key BLOB');

-- our distinct ids in random order: in which part an id is, and where there, says nothing of it
CREATE OR REPLACE TEMP TABLE scale_ids AS
    SELECT row_number() OVER (ORDER BY draw) AS seq, psi_id
    FROM (SELECT psi_id, random_id(psi_id) AS draw
          FROM (SELECT DISTINCT psi_id FROM psi_ids(getvariable('table'), getvariable('id'), kind := getvariable('kind')) WHERE psi_id IS NOT NULL))
    ORDER BY seq;
SELECT require(count(*) > 0, 'none of the rows has an id; is it the right column and kind?') FROM scale_ids;
SET VARIABLE ids = (SELECT count(*) FROM scale_ids);
SET VARIABLE rows = getvariable('rows')::BIGINT;
SET VARIABLE k = 0;

-- part ids while getvariable('k') * getvariable('rows') < getvariable('ids')

SET VARIABLE k = getvariable('k') + 1;
COPY (SELECT seq - (getvariable('k') - 1) * getvariable('rows') AS seq, psi_id FROM scale_ids
      WHERE seq > (getvariable('k') - 1) * getvariable('rows') AND seq <= getvariable('k') * getvariable('rows') ORDER BY seq)
    TO (getvariable('folder') || '/ids/part-' || getvariable('k') || '.parquet') (FORMAT parquet);

-- part end

SET VARIABLE written = 'ids';
-- include of_this_run.sql

SELECT getvariable('ids') AS ids, getvariable('k') AS parts;
