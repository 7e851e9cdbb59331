-- Weight of evidence, host: has the label, and learns neither the guest's bins nor their counts. The peer runs scorecard/guest.
-- sql/scorecard/README.md says what each message reveals.
--
-- set peer                 the guest's name
-- set table                your table or view, one row for each record
-- set label                its column with the label: 0 or 1, true or false
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set max_bins = 12        bins of a column at most, the same at both
-- set minimum = 20         the guest puts bins with fewer rows together, the same at both
-- set epsilon = 0          noise on each count: what all of them tell of a label is epsilon-differentially private; 0: no noise; the same at both
-- set accept_disclosure = no  yes: answer for more bins than an eighth of a bit a row allows
-- set sigma = 64           a count is wrong with probability 2^-sigma, 40 at least, the same at both
-- set bits = 2048          size of our Paillier key
--
-- next The guest has the result. Train with its columns as they are, or binned as it has them now: lr_joint_key/host, in a new session.

SET VARIABLE leads = true;
-- include shared/settings.sql

-- part noise if getvariable('epsilon') > 0

-- whether there is noise to be had
SELECT noise_integer(0, 1 / getvariable('epsilon')) IS NOT NULL AS noise;

-- part alignment if getvariable('id') = ''

-- include ../lr_joint_key/shared/alignment.sql
-- include shared/alignment.sql
-- include ../shared/id_column.sql

-- part rows

-- our labels
SET VARIABLE label_column = plain_name(getvariable('label'));
SELECT require(count(*) = 1, 'the table has no column "' || getvariable('label_column') || '" for the label, or the label is the id')
FROM feature_columns(getvariable('table'), duckpriv_quoted(getvariable('label_column')), split_names(getvariable('id_column')));
CREATE OR REPLACE TEMP TABLE scorecard_all AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := [getvariable('label_column')]);

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE scorecard_named AS SELECT psi_id(id) AS name, x, x[1] AS y FROM scorecard_all;

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE scorecard_named AS
    SELECT pid::VARCHAR AS name, x, x[1] AS y FROM "${alignment}" LEFT JOIN scorecard_all USING (id);
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM scorecard_named WHERE x IS NULL;

-- part set-up

-- what makes no sense
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*), 'an id is missing or occurs more than once; each id needs one row: take a view that has one'),
       require(count(y) = count(*), count(*) - count(y) || ' rows have no label; match again with a view of those that have one'),
       require(bool_and(y IN (0, 1)), 'a label is neither 0 nor 1'),
       require(min(y) <> max(y), 'all labels are the same')
FROM scorecard_named;

-- what the owner of the table allows
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses([getvariable('label_column')], 'train') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: getvariable('minimum')::BIGINT, epsilon: CASE WHEN getvariable('epsilon')::DOUBLE > 0 THEN getvariable('epsilon')::DOUBLE END};
-- include ../shared/policy.sql

-- Our rows in an order that both parties find, and that says nothing: sorted by a hash of seed and id.
SET VARIABLE seed = (SELECT random_id(1)::VARCHAR);
CREATE OR REPLACE TEMP TABLE scorecard_rows AS
    SELECT row_number() OVER (ORDER BY sha256(getvariable('seed') || '/' || name)) AS row, name, y FROM scorecard_named;
DROP TABLE scorecard_all;
DROP TABLE scorecard_named;
SET VARIABLE rows = (SELECT count(*) FROM scorecard_rows);
-- include shared/widths.sql
SET VARIABLE most = CASE WHEN getvariable('accept_disclosure') = 'yes' THEN 1000000
                         ELSE getvariable('rows') // (8 * getvariable('answer_bits')) END;
SELECT require(getvariable('most') >= getvariable('max_bins'),
               'a count of each of ' || getvariable('max_bins') || ' bins is more than an eighth of a bit for each of ' || getvariable('rows')
               || ' rows, and more could tell the guest labels. Take more rows or fewer max_bins, or accept that with --set accept_disclosure=yes');
SET VARIABLE key = 'scorecard-' || getvariable('session') || '-' || getvariable('me');
CALL paillier_keygen(getvariable('key'), bits := getvariable('bits'));

SET VARIABLE release = {what: 'counts of labels in bins of the peer''s', numbers: getvariable('most')::BIGINT,
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql

-- to the guest: how many rows, a hash that shows whether both have the same, and how many bins we answer for
CALL exchange_send(getvariable('peer'), 'scorecard/start', $$
    SELECT getvariable('settings') AS settings, getvariable('seed') AS seed, getvariable('rows') AS rows,
           sha256(string_agg(name, ',' ORDER BY row)) AS digest, getvariable('most')::BIGINT AS most, paillier_public_key(getvariable('key')) AS key
    FROM scorecard_rows $$);

-- to the guest: our labels, encrypted
CALL exchange_send(getvariable('peer'), 'scorecard/labels', $$
    SELECT block, paillier_encrypt_list(list_resize(labels, getvariable('places'), 0), getvariable('key'), scale := 0, bound := 1,
                                        slot_bits := getvariable('slot_bits')) AS ct
    FROM (SELECT 1 + (row - 1) // getvariable('places') AS block, list(y ORDER BY row) AS labels FROM scorecard_rows GROUP BY ALL) ORDER BY block $$);
DROP TABLE scorecard_rows;

-- from the guest: sums of labels, masked; of each column as many as it may have bins, for each place
CREATE OR REPLACE TEMP TABLE scorecard_masked AS
    FROM exchange_recv(getvariable('peer'), 'scorecard/sums', columns := 'feature BIGINT, bin BIGINT, place BIGINT, ct BLOB');
SET VARIABLE features = (SELECT count(*) FROM scorecard_masked) // (getvariable('max_bins') * getvariable('places'));
SELECT require(getvariable('features') * getvariable('max_bins') <= getvariable('most'),
               'the guest asks for ' || getvariable('features') * getvariable('max_bins') || ' sums, and we answer for ' || getvariable('most'))
       AND require(is_numbered((feature - 1) * getvariable('max_bins') * getvariable('places') + (bin - 1) * getvariable('places') + place,
                               getvariable('features') * getvariable('max_bins') * getvariable('places'))
                   AND bool_and(feature BETWEEN 1 AND getvariable('features') AND bin BETWEEN 1 AND getvariable('max_bins') AND place BETWEEN 1 AND getvariable('places')),
                   'the guest''s sums are not numbered one by one'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (0, getvariable('slot_bits'), getvariable('places'))),
               'the guest''s sums do not have the agreed scale and slots')
FROM (SELECT feature, bin, place, he_layout(ct) AS l FROM scorecard_masked);

-- include shared/noise.sql

-- Our shares of them, no more bits of each than a count has: so whatever the guest has summed up, it learns that many bits. With noise, each row counts in one bin of each
-- column, so that all counts together change by the number of columns where one label does, at most.
CREATE OR REPLACE TEMP TABLE scorecard_shares AS
    SELECT feature, bin, (sum(shares[place]::HUGEINT) % getvariable('modulus'))::BIGINT AS share, 0::BIGINT AS noise
    FROM (SELECT feature, bin, place, paillier_decrypt_share(ct, getvariable('key')) AS shares FROM scorecard_masked) GROUP BY ALL;
CALL key_forget(getvariable('key'));

-- part noisy if getvariable('epsilon') > 0

-- noise
CREATE OR REPLACE TEMP TABLE scorecard_shares AS
    SELECT feature, bin, share, noise_integer(0, getvariable('features') / getvariable('epsilon')) AS noise FROM scorecard_shares;

-- part answer

-- to the guest: our shares of its sums
CALL exchange_send(getvariable('peer'), 'scorecard/answers', $$
    SELECT feature, bin, CAST(((share::HUGEINT + noise) % getvariable('modulus') + getvariable('modulus')) % getvariable('modulus') AS BIGINT) AS share
    FROM scorecard_shares ORDER BY feature, bin $$);

-- summary
SELECT getvariable('rows') AS rows, getvariable('features') AS guest_columns, getvariable('features') * getvariable('max_bins') AS answers, exchange_bytes() AS bytes;
