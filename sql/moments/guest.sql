-- Sums over the common rows of the products of each two columns, in shares, guest. The peer runs moments/host. It is made once, and
-- serves moments/regression_host and moments/regression_guest. sql/moments/README.md says what each message reveals.
--
-- set peer                 the host's name
-- set table                your table or view, one row for each record
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set columns =            your columns, with commas between; empty: all numeric ones but the id
-- set sigma = 64           a share is wrong with probability 2^-sigma, 40 at least, the same at both
-- set bits = 3072          size of our Paillier key
-- set result = moments     your shares go into the table of this name and _share, the columns into _columns
--
-- next Each party has its share of the moments in ${result}. In new sessions, go on with moments/correlation_guest or moments/regression_guest,
-- next without another pass over the rows.

SET VARIABLE leads = false;
-- include shared/settings.sql

-- part alignment if getvariable('id') = ''

-- include ../shared/alignment.sql
-- include ../shared/lacking.sql
SET VARIABLE settings = getvariable('settings') || getvariable('lacking_text');
-- include ../shared/id_column.sql

-- part rows

-- our columns
SET VARIABLE features = (
    SELECT coalesce(list(column_name), []::VARCHAR[])
    FROM feature_columns(getvariable('table'), getvariable('columns'), split_names(getvariable('id_column'))));
SELECT require(len(getvariable('features')) BETWEEN 1 AND 500, 'the table has no numeric column but the id, or more than 500; name some with --set columns=…');
CREATE OR REPLACE TEMP TABLE moments_all AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := getvariable('features'));

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT psi_id(id) AS name, x FROM moments_all;
-- include ../shared/none_lacking.sql

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT pid::VARCHAR AS name, x FROM "${alignment}" LEFT JOIN moments_all USING (id);
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM lr_named WHERE x IS NULL;

-- part set-up

-- what the owner of the table allows
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(getvariable('features'), 'train') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: coalesce(getvariable('common_rows'), (SELECT count(*) FROM lr_named)), epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- what makes no sense
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*),
               'an id is missing or occurs more than once; each id needs one row: take a view that has one')
FROM lr_named;
-- include ../shared/features.sql

-- Our rows, standardised over those that we have, with 2^-20 before them. Rows that we do not have are 0. All is encrypted before we
-- receive anything, since time depends on how many records we have.
CREATE OR REPLACE TEMP TABLE lr_matrix AS SELECT row_number() OVER () AS row, name AS id, x FROM lr_named;
CREATE OR REPLACE TEMP TABLE moments_rows AS SELECT row, id, x FROM standardise('lr_matrix');
DROP TABLE moments_all;
DROP TABLE lr_named;
DROP TABLE lr_matrix;
SET VARIABLE standardised = 'moments_rows';
SET VARIABLE names = getvariable('features');
-- include shared/far.sql
SET VARIABLE records = (SELECT count(*) FROM moments_rows);
SET VARIABLE rows = getvariable('records') + (SELECT count(*) FROM rows_lacking);
SET VARIABLE common = coalesce(getvariable('common_rows'), getvariable('records'));
SET VARIABLE peer_width = len(getvariable('features'));
CREATE OR REPLACE TEMP TABLE moments_own AS FROM integer_moments('moments_rows');
-- include shared/widths.sql
SET VARIABLE key = 'moments-' || getvariable('session') || '-' || getvariable('me');
CALL paillier_keygen(getvariable('key'), bits := getvariable('bits'));
CREATE OR REPLACE TEMP TABLE moments_named AS
    SELECT name, paillier_encrypt_list(x, getvariable('key'), scale := 20, bound := 28, slot_bits := getvariable('slot_bits')) AS ct
    FROM (SELECT id AS name, [0.00000095367431640625::DOUBLE] || x AS x FROM moments_rows
          UNION ALL
          SELECT name, list_resize([]::DOUBLE[], getvariable('peer_width') + 1, 0.0::DOUBLE) FROM rows_lacking
          ORDER BY name);

-- from the host: how many rows and columns, and a hash that shows whether both have the same rows
CREATE OR REPLACE TEMP TABLE moments_start AS
    FROM exchange_recv(getvariable('peer'), 'moments/start',
                       columns := 'settings VARCHAR, seed VARCHAR, rows BIGINT, digest VARCHAR, width BIGINT, label VARCHAR');
SELECT require(count(*) = 1, 'the host has to send one start message'),
       require(bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the host has ' || left(any_value(settings), 500) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session'),
       require(bool_and(width BETWEEN 1 AND 501 AND length(seed) <= 100 AND label IN ('feature', 'label', 'label of 0 and 1')), 'the host''s start message makes no sense')
FROM moments_start;
SET VARIABLE width = (SELECT width FROM moments_start);
CREATE OR REPLACE TEMP TABLE moments_ordered AS
    SELECT row_number() OVER (ORDER BY sha256((SELECT seed FROM moments_start) || '/' || name)) AS row, name FROM moments_named;
SELECT require(count(*) = (SELECT rows FROM moments_start)
               AND sha256(string_agg(name, ',' ORDER BY row)) = (SELECT digest FROM moments_start),
               'the host has other rows: it has ' || (SELECT rows FROM moments_start) || ' and we have ' || count(*)
               || '. Use the alignments of one and the same matching, or tables with the same ids')
FROM moments_ordered;

SET VARIABLE release = {what: 'how many columns; and shares of sums, for later releases', numbers: 1::BIGINT,
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql

-- to the host: our key, and our rows, encrypted
CALL exchange_send(getvariable('peer'), 'moments/shape', $$ SELECT getvariable('peer_width')::BIGINT AS width, paillier_public_key(getvariable('key')) AS key $$);
CALL exchange_send(getvariable('peer'), 'moments/rows', $$
    SELECT row, ct FROM moments_ordered JOIN moments_named USING (name) ORDER BY row $$);
DROP TABLE moments_named;
CREATE OR REPLACE TEMP TABLE moments_block_shares (row BIGINT, "column" BIGINT, share UHUGEINT);

-- part own if NOT getvariable('both_lack')

-- all our rows are common
DROP TABLE moments_rows;
CREATE OR REPLACE TEMP TABLE moments_own AS
    SELECT row + getvariable('width') AS row, "column" + getvariable('width') AS "column", total FROM moments_own;
-- include shared/split.sql

-- part own-set-up if getvariable('both_lack')

-- from the host: its key, and which rows it has, encrypted
SET VARIABLE peer_key = 'moments-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT require(count(*) = 1, 'the host has to send one key'), key_import(getvariable('peer_key'), any_value(key), 'paillier') AS peer_key
FROM exchange_recv(getvariable('peer'), 'moments/key', columns := 'key BLOB');
SELECT require(is_numbered(row, getvariable('rows')), 'the host did not encrypt once for each row whether it has it'),
       require(bool_and((l.scale, l.bound, l.slot_bits, l.count) = (20, 28, getvariable('slot_bits'), 1)),
               'the host''s ciphertexts do not have the agreed scale, bound and slots')
FROM (SELECT row, he_layout(ct) AS l FROM exchange_recv(getvariable('peer'), 'moments/mask', columns := 'row BIGINT, ct BLOB'));

-- our rows by their common numbers, and 0 for those that we lack
CREATE OR REPLACE TEMP TABLE moments_rows AS
    SELECT o.row, coalesce(list_transform(x, lambda v: round(v * 1048576) / 1048576), list_resize([]::DOUBLE[], getvariable('peer_width'), 0.0::DOUBLE)) AS x
    FROM moments_ordered o LEFT JOIN moments_rows r ON r.id = o.name;
CREATE OR REPLACE TEMP TABLE moments_sums (feature BIGINT, ct BLOB);
SET VARIABLE k = 0;
SET VARIABLE block = greatest(64, least(32768, 4194304 // (getvariable('peer_width') * (getvariable('peer_width') + 1) // 2)));

-- part own-block while getvariable('both_lack') AND getvariable('k') * getvariable('block') < getvariable('rows')

-- include shared/own_block.sql
CREATE OR REPLACE TEMP TABLE moments_encrypted AS
    SELECT row, ct FROM exchange_recv(getvariable('peer'), 'moments/mask', columns := 'row BIGINT, ct BLOB')
    WHERE row > (getvariable('k') - 1) * getvariable('block') AND row <= getvariable('k') * getvariable('block');
INSERT INTO moments_sums
    FROM he_weighted_sums('moments_encrypted', 'moments_block', getvariable('peer_key'), scale := 20, bound := 57);

-- part own-masked if getvariable('both_lack')

-- split into shares: what goes back is masked
CREATE OR REPLACE TEMP TABLE moments_split AS
    SELECT feature, he_share_split_wide(he_sum(ct, getvariable('peer_key')), getvariable('peer_key'), sigma := getvariable('sigma')::INTEGER) AS s
    FROM (FROM moments_sums ORDER BY feature) GROUP BY feature;
CALL exchange_send(getvariable('peer'), 'moments/own-masked', $$ SELECT feature, s.send AS ct FROM moments_split ORDER BY feature $$);
SET VARIABLE first = getvariable('width') + 1;
SET VARIABLE last = getvariable('width') + getvariable('peer_width');
CREATE OR REPLACE TEMP TABLE moments_own_kept AS SELECT feature, unnest(wide_decode(s.keep)) AS share FROM moments_split;
-- include shared/own_shares.sql
CALL key_forget(getvariable('peer_key'));

-- part theirs if getvariable('id') <> ''

SET VARIABLE first = 1;
SET VARIABLE last = getvariable('width');
-- include shared/theirs.sql

-- part shares

-- results: our shares of what the host has masked
-- of products of the host's columns only those of our first number, and what shares a ciphertext's first body with it
CREATE OR REPLACE TEMP TABLE moments_masked AS
    SELECT feature, ct, CASE WHEN feature <= getvariable('width') THEN getvariable('peer_width') + 1
                             ELSE least(getvariable('peer_width') + 1, (getvariable('bits')::INTEGER - 2) // getvariable('slot_bits')) END AS slots
    FROM exchange_recv(getvariable('peer'), 'moments/masked', columns := 'feature BIGINT, ct BLOB');
SELECT require(is_numbered(feature, getvariable('width') + CASE WHEN getvariable('id') = '' THEN getvariable('width') * (getvariable('width') + 1) // 2 ELSE 0 END),
               'the host did not answer with each sum once'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (40, getvariable('slot_bits'), slots)),
               'the host''s answers do not have the agreed scale and slots')
FROM (SELECT feature, slots, he_layout(ct) AS l FROM moments_masked);
CREATE OR REPLACE TEMP TABLE moments_kept AS
    SELECT feature, generate_subscripts(elements, 1) AS slot, unnest(elements) AS share
    FROM (SELECT before + i AS feature, elements[(i - 1) * slots + 1 : i * slots] AS elements
          FROM (SELECT wide_decode(paillier_decrypt_share_wide(list(ct ORDER BY feature), getvariable('key'))) AS elements,
                       count(*) AS features, any_value(slots) AS slots, min(feature) - 1 AS before
                FROM moments_masked GROUP BY feature > getvariable('width')), range(1, features + 1) t(i));
-- include shared/shares.sql
CALL key_forget(getvariable('key'));
CREATE OR REPLACE TABLE "${result}_columns" AS
    SELECT position, party, name, role, mean, deviation, getvariable('rows') AS rows, getvariable('common') AS common, getvariable('both_lack') AS both_lack, getvariable('session') AS session
    FROM (SELECT i AS position, getvariable('peer') AS party, CASE WHEN i = 1 THEN '(intercept)' ELSE getvariable('peer') || ' ' || i - 1 END AS name,
                 CASE WHEN i = 1 THEN 'intercept' WHEN i = getvariable('width') THEN (SELECT label FROM moments_start) ELSE 'feature' END AS role,
                 NULL::DOUBLE AS mean, NULL::DOUBLE AS deviation
          FROM range(1, getvariable('width') + 1) t(i)
          UNION ALL
          SELECT getvariable('width') + feature, getvariable('me'), name, 'feature', mean, deviation FROM lr_statistics)
    ORDER BY position;

-- summary
SELECT getvariable('rows') AS rows, getvariable('common') AS common, getvariable('width') - 1 AS host_columns, getvariable('peer_width') AS columns,
       exchange_bytes() AS bytes;
