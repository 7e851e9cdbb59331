-- Sums over the common rows of the products of each two columns, in shares, host. The peer runs moments/guest. It is made once, and
-- serves moments/regression_host and moments/regression_guest. sql/moments/README.md says what each message reveals.
--
-- set peer                 the guest's name
-- set table                your table or view, one row for each record
-- set label =              its column with the label, if there is one: what a regression is to explain
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set columns =            your columns, with commas between; empty: all numeric ones but id and label
-- set sigma = 64           a share is wrong with probability 2^-sigma, 40 at least, the same at both
-- set bits = 3072          size of our Paillier key, which we make where both parties lack rows
-- set result = moments     your shares go into the table of this name and _share, the columns into _columns
--
-- next Each party has its share of the moments in ${result}. In new sessions, go on with moments/correlation_host or moments/regression_host,
-- next without another pass over the rows.

SET VARIABLE leads = true;
-- include shared/settings.sql

-- part alignment if getvariable('id') = ''

-- include ../lr_joint_key/shared/alignment.sql
-- include ../shared/lacking.sql
SET VARIABLE settings = getvariable('settings') || getvariable('lacking_text');
-- include ../shared/id_column.sql

-- part rows

-- our columns, the label last
SET VARIABLE label_column = CASE WHEN getvariable('label') = '' THEN [] ELSE [plain_name(getvariable('label'))] END;
SET VARIABLE features = (
    SELECT coalesce(list(column_name), []::VARCHAR[])
    FROM feature_columns(getvariable('table'), getvariable('columns'), split_names(getvariable('id_column')) || getvariable('label_column')));
SET VARIABLE names = getvariable('features') || getvariable('label_column');
SELECT require(len(getvariable('names')) BETWEEN 1 AND 500, 'the table has no numeric column but the id, or more than 500; name some with --set columns=…');
CREATE OR REPLACE TEMP TABLE moments_all AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := getvariable('names'));

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT psi_id(id) AS name, x FROM moments_all;
-- include ../shared/none_lacking.sql

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_named AS
    SELECT pid::VARCHAR AS name, x FROM "${alignment}" LEFT JOIN moments_all USING (id);
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM lr_named WHERE x IS NULL;

-- part set-up

-- what the owner of the table allows; after psi only the guest knows how many rows are common
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(getvariable('names'), 'train') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: CASE WHEN getvariable('id') <> '' THEN (SELECT count(*) FROM lr_named) ELSE getvariable('common_rows') END, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- what makes no sense
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*),
               'an id is missing or occurs more than once; each id needs one row: take a view that has one')
FROM lr_named;
SET VARIABLE features = getvariable('names');
-- include ../shared/features.sql

-- Our rows in an order that both parties find, and that says nothing: sorted by a hash of seed and id. A label of 0 and 1 is
-- taken less 1/2; others are standardised, by a power of two. Rows that we lack are 0, their 1 for the intercept, too.
SET VARIABLE seed = (SELECT random_id(1)::VARCHAR);
CREATE OR REPLACE TEMP TABLE moments_units AS
    SELECT feature, name, CASE WHEN is_label AND zero_one THEN 0.5 ELSE mean END AS mean,
           CASE WHEN NOT is_label THEN deviation WHEN zero_one THEN 1 ELSE 2.0::DOUBLE ** ceil(log2(deviation)) END AS deviation,
           is_label, is_label AND zero_one AS zero_one
    FROM (SELECT *, feature = len(getvariable('names')) AND getvariable('label') <> '' AS is_label,
                 (SELECT bool_and(x[-1] IN (0, 1)) FROM lr_named) AS zero_one
          FROM lr_statistics);
CREATE OR REPLACE TEMP TABLE moments_rows AS
    SELECT row_number() OVER (ORDER BY sha256(getvariable('seed') || '/' || name)) AS row, name, x
    FROM (SELECT name, [1.0::DOUBLE] || list_transform(list_zip(x, means, deviations), lambda t: round((t[1] - t[2]) / t[3] * 1048576) / 1048576) AS x
          FROM lr_named, (SELECT list(mean ORDER BY feature) AS means, list(deviation ORDER BY feature) AS deviations FROM moments_units)
          UNION ALL
          SELECT name, list_resize([]::DOUBLE[], len(getvariable('names')) + 1, 0.0::DOUBLE) FROM rows_lacking);
DROP TABLE moments_all;
DROP TABLE lr_named;
SET VARIABLE label_role = (SELECT CASE WHEN NOT bool_or(is_label) THEN 'feature' WHEN bool_or(zero_one) THEN 'label of 0 and 1' ELSE 'label' END
                           FROM moments_units);
SET VARIABLE standardised = 'moments_rows';
SET VARIABLE names = ['the intercept'] || getvariable('names');
-- include shared/far.sql
SET VARIABLE rows = (SELECT count(*) FROM moments_rows);
SET VARIABLE width = len(getvariable('names'));

SET VARIABLE release = {what: 'how many rows and columns; and shares of sums, for later releases', numbers: 2::BIGINT,
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql

-- to the guest: how many rows and columns, and a hash that shows whether both have the same rows
CALL exchange_send(getvariable('peer'), 'moments/start', $$
    SELECT getvariable('settings') AS settings, getvariable('seed') AS seed, getvariable('rows') AS rows,
           sha256(string_agg(name, ',' ORDER BY row)) AS digest, getvariable('width')::BIGINT AS width, getvariable('label_role') AS label
    FROM moments_rows $$);
CREATE OR REPLACE TEMP TABLE moments_block_shares (row BIGINT, "column" BIGINT, share UHUGEINT);

-- part own if getvariable('id') <> ''

CREATE OR REPLACE TEMP TABLE moments_own AS FROM integer_moments('moments_rows');
-- include shared/split.sql

-- part mask if getvariable('both_lack')

-- to the guest: which rows we have, encrypted under a key of our own
-- include shared/widths.sql
SET VARIABLE key = 'moments-' || getvariable('session') || '-' || getvariable('me');
CALL paillier_keygen(getvariable('key'), bits := getvariable('bits'));
CALL exchange_send(getvariable('peer'), 'moments/key', $$ SELECT paillier_public_key(getvariable('key')) AS key $$);
CALL exchange_send(getvariable('peer'), 'moments/mask', $$
    SELECT row, paillier_encrypt_list([x[1] / 1048576], getvariable('key'), scale := 20, bound := 28, slot_bits := getvariable('slot_bits')) AS ct
    FROM moments_rows ORDER BY row $$);

-- part receive

-- from the guest: its key, and its rows, encrypted
CREATE OR REPLACE TEMP TABLE moments_shape AS
    FROM exchange_recv(getvariable('peer'), 'moments/shape', columns := 'width BIGINT, key BLOB');
SELECT require(count(*) = 1 AND bool_and(width BETWEEN 1 AND 500), 'the guest did not say how many columns it has') FROM moments_shape;
SET VARIABLE peer_width = (SELECT width FROM moments_shape);
SET VARIABLE peer_key = 'moments-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT key_import(getvariable('peer_key'), key, 'paillier') AS peer_key FROM moments_shape;
-- include shared/widths.sql
SELECT require(is_numbered(row, getvariable('rows')), 'the guest did not encrypt each row once'),
       require(bool_and((l.scale, l.bound, l.slot_bits, l.count) = (20, 28, getvariable('slot_bits'), getvariable('peer_width') + 1)),
               'the guest''s ciphertexts do not have the agreed scale, bound and slots')
FROM (SELECT row, he_layout(ct) AS l FROM exchange_recv(getvariable('peer'), 'moments/rows', columns := 'row BIGINT, ct BLOB'));
CREATE OR REPLACE TEMP TABLE moments_sums (feature BIGINT, ct BLOB);
SET VARIABLE k = 0;

-- part block while getvariable('k') * 32768 < getvariable('rows')

-- for some rows: sums of our numbers times the guest's
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE moments_encrypted AS
    SELECT row, ct FROM exchange_recv(getvariable('peer'), 'moments/rows', columns := 'row BIGINT, ct BLOB')
    WHERE row > (getvariable('k') - 1) * 32768 AND row <= getvariable('k') * 32768;
CREATE OR REPLACE TEMP TABLE moments_block AS
    SELECT row, x FROM moments_rows WHERE row > (getvariable('k') - 1) * 32768 AND row <= getvariable('k') * 32768;
INSERT INTO moments_sums
    FROM he_weighted_sums('moments_encrypted', 'moments_block', getvariable('peer_key'), scale := 20, bound := 28);

-- part own-products if getvariable('id') = ''

SET VARIABLE k = 0;
SET VARIABLE block = greatest(64, least(32768, 4194304 // (getvariable('width') * (getvariable('width') + 1) // 2)));

-- part own-block while getvariable('id') = '' AND getvariable('k') * getvariable('block') < getvariable('rows')

-- include shared/own_block.sql
CREATE OR REPLACE TEMP TABLE moments_encrypted AS
    SELECT row, ct FROM exchange_recv(getvariable('peer'), 'moments/rows', columns := 'row BIGINT, ct BLOB')
    WHERE row > (getvariable('k') - 1) * getvariable('block') AND row <= getvariable('k') * getvariable('block');
INSERT INTO moments_sums
    SELECT getvariable('width') + feature, ct
    FROM he_weighted_sums('moments_encrypted', 'moments_block', getvariable('peer_key'), scale := 20, bound := 57, first := 1);

-- part shares

-- split into shares: what goes back is masked
CREATE OR REPLACE TEMP TABLE moments_split AS
    SELECT feature, he_share_split_wide(he_sum(ct, getvariable('peer_key')), getvariable('peer_key'), sigma := getvariable('sigma')::INTEGER) AS s
    FROM (FROM moments_sums ORDER BY feature) GROUP BY feature;
CALL exchange_send(getvariable('peer'), 'moments/masked', $$ SELECT feature, s.send AS ct FROM moments_split ORDER BY feature $$);

-- results: our shares
CREATE OR REPLACE TEMP TABLE moments_kept AS
    SELECT feature, generate_subscripts(elements, 1) AS slot, unnest(elements) AS share
    FROM (SELECT feature, wide_decode(s.keep) AS elements FROM moments_split);
SET VARIABLE first = getvariable('width') + 1;
SET VARIABLE last = getvariable('width') + getvariable('peer_width');

-- part theirs if NOT getvariable('both_lack')

-- include shared/theirs.sql

-- part theirs-masked if getvariable('both_lack')

-- sums of the guest's own columns over the rows that we have, too: our shares of what the guest has masked
CREATE OR REPLACE TEMP TABLE moments_masked AS
    FROM exchange_recv(getvariable('peer'), 'moments/own-masked', columns := 'feature BIGINT, ct BLOB');
SELECT require(is_numbered(feature, getvariable('peer_width') * (getvariable('peer_width') + 1) // 2), 'the guest did not answer with each sum once'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (40, getvariable('slot_bits'), 1)),
               'the guest''s answers do not have the agreed scale and slots')
FROM (SELECT feature, he_layout(ct) AS l FROM moments_masked);
CREATE OR REPLACE TEMP TABLE moments_own_kept AS
    SELECT unnest(features) AS feature, unnest(wide_decode(shares)) AS share
    FROM (SELECT list(feature ORDER BY feature) AS features, paillier_decrypt_share_wide(list(ct ORDER BY feature), getvariable('key')) AS shares
          FROM moments_masked);
-- include shared/own_shares.sql
CALL key_forget(getvariable('key'));

-- part results

-- include shared/shares.sql
CALL key_forget(getvariable('peer_key'));
CREATE OR REPLACE TABLE "${result}_columns" AS
    SELECT position, party, name, role, mean, deviation, getvariable('rows') AS rows,
           CASE WHEN getvariable('id') <> '' THEN getvariable('rows') ELSE getvariable('common_rows') END AS common, getvariable('both_lack') AS both_lack,
           getvariable('session') AS session
    FROM (SELECT 1 AS position, getvariable('me') AS party, '(intercept)' AS name, 'intercept' AS role, NULL::DOUBLE AS mean, NULL::DOUBLE AS deviation
          UNION ALL
          SELECT feature + 1, getvariable('me'), name, CASE WHEN is_label THEN getvariable('label_role') ELSE 'feature' END, mean, deviation FROM moments_units
          UNION ALL
          SELECT getvariable('width') + j, getvariable('peer'), getvariable('peer') || ' ' || j, 'feature', NULL, NULL
          FROM range(1, getvariable('peer_width') + 1) t(j))
    ORDER BY position;

-- summary
SELECT getvariable('rows') AS rows, getvariable('width') - 1 AS columns, getvariable('peer_width') AS guest_columns, exchange_bytes() AS bytes;
