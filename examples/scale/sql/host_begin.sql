-- Private matching by clusters, host, before the cluster: sends a new key, writes the own ids and the guest's blinded ones as files.
-- The cluster then makes `evaluated` of `blinded` with oprf_evaluate, and `tokens` of `ids` with oprf_token; behind it comes
-- host_answer.sql. docs/scale.md shows both parties.
--
-- set peer             the guest's name
-- set table            your table or view
-- set id               its id column, or several with commas between
-- set kind = raw       how ids are normalised: raw, trimmed, lower, email or phone
-- set folder           where the files are: it has the folders ids and blinded
-- set rows = 1048576   ids a file

-- both parties have to run with the same settings
SET VARIABLE duckpriv_protocol = 'scale/1';
SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind');

-- what the owner of the table allows
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')], uses: policy_uses(split_names(getvariable('id')), 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../../../sql/shared/policy.sql

-- message 1: the public key
SET VARIABLE key = 'scale-' || getvariable('session') || '-' || getvariable('me');
CALL oprf_keygen(getvariable('key'));
CALL exchange_send(getvariable('peer'), 'scale/key', $$ SELECT oprf_public_key(getvariable('key')) AS key $$);

-- our distinct ids, in files
CREATE OR REPLACE TEMP TABLE scale_ids AS
    SELECT row_number() OVER () AS seq, psi_id
    FROM (SELECT DISTINCT psi_id FROM psi_ids(getvariable('table'), getvariable('id'), kind := getvariable('kind')) WHERE psi_id IS NOT NULL);
SELECT require(count(*) > 0, 'none of the rows has an id; is it the right column and kind?') FROM scale_ids;
SET VARIABLE ids = (SELECT count(*) FROM scale_ids);
SET VARIABLE rows = getvariable('rows')::BIGINT;
SET VARIABLE k = 0;

-- part ids while getvariable('k') * getvariable('rows') < getvariable('ids')

SET VARIABLE k = getvariable('k') + 1;
COPY (SELECT psi_id FROM scale_ids WHERE seq > (getvariable('k') - 1) * getvariable('rows') AND seq <= getvariable('k') * getvariable('rows'))
    TO (getvariable('folder') || '/ids/part-' || getvariable('k') || '.parquet') (FORMAT parquet);

-- part all-ids

SET VARIABLE written = 'ids';
-- include of_this_run.sql

-- part blinded-manifest

-- message 2: of how many parts the guest's blinded ids are, and what each has
CREATE OR REPLACE TEMP TABLE scale_manifest AS
    FROM exchange_recv(getvariable('peer'), 'scale/blinded', columns := 'part BIGINT, rows BIGINT, digest VARCHAR');
SELECT require(is_numbered(part, count(*)), 'the parts of the guest''s blinded ids are not numbered one by one') FROM scale_manifest;
SET VARIABLE parts = (SELECT count(*) FROM scale_manifest);
SET VARIABLE k = 0;

-- part blinded while getvariable('k') < getvariable('parts')

-- message 2, a part: checked against the manifest, and written in lists of 4,096, as oprf_evaluate takes them
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE scale_part AS
    FROM exchange_recv(getvariable('peer'), 'scale/blinded-' || getvariable('k')::VARCHAR, columns := 'seq BIGINT, blinded BLOB');
SELECT require(is_numbered(seq, any_value(m.rows)) AND sha256(string_agg(hex(blinded), '' ORDER BY seq)) = any_value(m.digest),
               'part ' || getvariable('k') || ' of the guest''s blinded ids is not the one that its manifest names')
FROM scale_part, (FROM scale_manifest WHERE part = getvariable('k')) m;
COPY (SELECT (seq - 1) // 4096 AS batch, list(blinded ORDER BY seq) AS blinded FROM scale_part GROUP BY batch ORDER BY batch)
    TO (getvariable('folder') || '/blinded/part-' || getvariable('k') || '.parquet') (FORMAT parquet);

-- part end

SET VARIABLE written = 'blinded';
-- include of_this_run.sql

SELECT getvariable('ids') AS ids, getvariable('parts') AS parts_of_the_guest, (SELECT sum(rows)::BIGINT FROM scale_manifest) AS ids_of_the_guest;
