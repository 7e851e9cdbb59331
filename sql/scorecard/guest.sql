-- Weight of evidence and information value of our columns, guest: bins them, and learns how many labels of the host's in each bin are 1. The peer runs
-- scorecard/host. sql/scorecard/README.md says what each message reveals.
--
-- set peer                 the host's name
-- set table                your table or view, one row for each record
-- set id =                 an id column that both tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set columns =            your columns, with commas between; empty: all of numbers, texts and true and false but the id
-- set categories =         columns whose numbers are categories, with commas between
-- set edges =              a table (feature, edge) with edges of bins for some columns; empty: quantiles for all
-- set bins = 10            quantiles of a column of numbers; most frequent values of another one
-- set max_bins = 12        bins of a column at most, the same at both
-- set minimum = 20         bins with fewer rows are put together, the same at both
-- set epsilon = 0          noise on each count: what all of them tell of a label is epsilon-differentially private; 0: no noise; the same at both
-- set sigma = 64           a count is wrong with probability 2^-sigma, 40 at least, the same at both
-- set result = scorecard   results go into tables of this name and _bins, _woe and _information_value
--
-- next Look at ${result}_information_value and ${result}_woe, also in duckpriv report. To train on weights of evidence, make a view
-- next FROM woe_transform(YOUR_TABLE, '${result}') and give it to lr_joint_key/guest, in a new session.

SET VARIABLE leads = false;
-- include shared/settings.sql
SELECT require(duckpriv_is_integer(getvariable('bins')) AND TRY_CAST(getvariable('bins') AS INTEGER) >= 1, 'bins is a whole number, 1 at least'),
       require_result(getvariable('result') || '_bins', ['feature', 'bin', 'kind', 'lower', 'upper', 'category', 'rows']),
       require_result(getvariable('result') || '_woe', ['feature', 'bin', 'description', 'rows', 'positives', 'woe', 'iv']),
       require_result(getvariable('result') || '_information_value', ['feature', 'iv', 'bins']);

-- part alignment if getvariable('id') = ''

-- include ../shared/alignment.sql
-- include shared/alignment.sql
-- include ../shared/id_column.sql

-- part rows

-- our columns
SET VARIABLE rows_query = 'SELECT ' || duckpriv_key_expression(split_names(getvariable('id_column'))) || ' AS "duckpriv_internal_id", * FROM '
    || duckpriv_source(getvariable('table'));

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE scorecard_ours AS
    SELECT psi_id(duckpriv_internal_id) AS duckpriv_internal_name, true AS duckpriv_internal_present, * EXCLUDE (duckpriv_internal_id) FROM query(getvariable('rows_query'));
CREATE OR REPLACE TEMP TABLE scorecard_absent (name VARCHAR);

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE scorecard_ours AS
    SELECT a.pid::VARCHAR AS duckpriv_internal_name, duckpriv_internal_present, t.* EXCLUDE (duckpriv_internal_id, duckpriv_internal_present)
    FROM "${alignment}" a LEFT JOIN (SELECT true AS duckpriv_internal_present, * FROM query(getvariable('rows_query'))) t ON t.duckpriv_internal_id = a.id;
CREATE OR REPLACE TEMP TABLE scorecard_absent AS SELECT pid::VARCHAR AS name FROM "${alignment}_unmatched";
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM scorecard_ours WHERE duckpriv_internal_present IS NULL;

-- part set-up

-- what makes no sense
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(duckpriv_internal_name) = count(*) AND count(DISTINCT duckpriv_internal_name) = count(*),
               'an id is missing or occurs more than once; each id needs one row: take a view that has one'),
       require(count(*) >= getvariable('minimum')::BIGINT, 'fewer rows are common than minimum asks for, so there would be no bin')
FROM scorecard_ours;

-- Our bins, made before anything is received. Rows that we do not have are in bin 0, so that what follows takes the same work for any records.
SET VARIABLE columns = duckpriv_written(getvariable('table'), getvariable('columns'));
SET VARIABLE categories = duckpriv_written(getvariable('table'), getvariable('categories'));
SELECT require(NOT list_has_any(list_transform(split_names(getvariable('columns')) || split_names(getvariable('categories')), lambda c: duckpriv_folded(c)),
                                list_transform(split_names(getvariable('id_column')), lambda c: duckpriv_folded(c))),
               'the id column is no feature');
CREATE OR REPLACE TEMP TABLE scorecard_pieces AS
    FROM woe_bins('scorecard_ours', columns := getvariable('columns'), categories := getvariable('categories'), edges := getvariable('edges'),
                  without := 'duckpriv_internal_name,duckpriv_internal_present,' || getvariable('id_column'),
                  bins := getvariable('bins')::INTEGER, max_bins := getvariable('max_bins')::INTEGER, minimum := getvariable('minimum')::INTEGER);
SELECT require(count(*) > 0, 'the table has no column of numbers, texts or true and false but the id; name some with --set columns=…') FROM scorecard_pieces;
CREATE OR REPLACE TEMP TABLE scorecard_features AS
    SELECT row_number() OVER (ORDER BY feature) AS number, feature FROM (SELECT DISTINCT feature FROM scorecard_pieces);
CREATE OR REPLACE TEMP TABLE scorecard_numbers AS SELECT DISTINCT feature, bin, bin::DOUBLE AS woe FROM scorecard_pieces;
SET VARIABLE coded_query = (SELECT 'SELECT duckpriv_internal_name AS name, [' || string_agg(expression, ', ' ORDER BY number) || ']::USMALLINT[] AS bins FROM scorecard_ours'
                            FROM duckpriv_transformed('scorecard_pieces', 'scorecard_numbers') JOIN scorecard_features USING (feature));
CREATE OR REPLACE TEMP TABLE scorecard_coded AS FROM query(getvariable('coded_query'));
DROP TABLE scorecard_ours;
SET VARIABLE features = (SELECT count(*) FROM scorecard_features);
SET VARIABLE common = (SELECT count(*) FROM scorecard_coded);
CREATE OR REPLACE TEMP TABLE scorecard_coded AS
    FROM (FROM scorecard_coded UNION ALL SELECT name, list_resize([]::USMALLINT[], getvariable('features'), 0::USMALLINT) FROM scorecard_absent) ORDER BY name;
DROP TABLE scorecard_absent;
SET VARIABLE rows = (SELECT count(*) FROM scorecard_coded);
-- include shared/widths.sql
-- include shared/noise.sql

-- what the owner of the table allows: the host learns how many columns there are
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses((SELECT list(feature ORDER BY number) FROM scorecard_features), 'train') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: getvariable('common')::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- from the host: how many rows, a hash that shows whether both have the same, and its key
CREATE OR REPLACE TEMP TABLE scorecard_start AS
    FROM exchange_recv(getvariable('peer'), 'scorecard/start',
                       columns := 'settings VARCHAR, seed VARCHAR, rows BIGINT, digest VARCHAR, most BIGINT, key BLOB');
SELECT require(count(*) = 1, 'the host has to send one start message'),
       require(bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the host has ' || left(any_value(settings), 500) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session'),
       require(bool_and(length(seed) <= 100), 'the host''s start message makes no sense'),
       require(bool_and(most >= getvariable('features') * getvariable('max_bins')),
               'we have ' || getvariable('features') || ' columns, each with up to ' || getvariable('max_bins') || ' bins, and the host answers for '
               || any_value(most) || ' bins: an eighth of a bit for each row. Name fewer --set columns=…, agree on fewer max_bins, or ask the host to --set accept_disclosure=yes')
FROM scorecard_start;
CREATE OR REPLACE TEMP TABLE scorecard_rows AS
    SELECT row_number() OVER (ORDER BY sha256((SELECT seed FROM scorecard_start) || '/' || name)) AS row, name, bins FROM scorecard_coded;
SELECT require(count(*) = (SELECT rows FROM scorecard_start)
               AND sha256(string_agg(name, ',' ORDER BY row)) = (SELECT digest FROM scorecard_start),
               'the host has other rows: it has ' || (SELECT rows FROM scorecard_start) || ' and we have ' || count(*)
               || '. Use the alignments of one and the same matching, or tables with the same ids')
FROM scorecard_rows;
DROP TABLE scorecard_coded;
SET VARIABLE key = 'scorecard-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT key_import(getvariable('key'), key, 'paillier') AS host_key FROM scorecard_start;

-- Two columns are added up together, by pairs of their bins, and these sums then by the bins of each: half of the multiplications. Each pair has a zero, so
-- that there are equally many whatever our records are. With many bins that would be more than it saves.
SET VARIABLE together = CASE WHEN getvariable('places') * (getvariable('max_bins') + 1) ** 2 <= 2048 THEN 2 ELSE 1 END;

-- from the host: its labels, encrypted
CREATE OR REPLACE TEMP TABLE scorecard_labels AS
    FROM exchange_recv(getvariable('peer'), 'scorecard/labels', columns := 'block BIGINT, ct BLOB');
CREATE OR REPLACE TEMP TABLE scorecard_zeros AS
    SELECT place, list_transform(range(1, getvariable('features') + 1), lambda i: CASE WHEN i % 2 = 1 THEN a ELSE b END)::USMALLINT[] AS bins,
           paillier_encrypt_list(list_resize([0.0], getvariable('places'), 0), getvariable('key'), scale := 0, bound := 1, slot_bits := getvariable('slot_bits')) AS ct
    FROM range(0, getvariable('max_bins') + 1) s(a), range(0, getvariable('max_bins') + 1) t(b), range(1, getvariable('places') + 1) p(place)
    WHERE a = b OR getvariable('together') = 2;
-- Each label is checked in full before anything depends on bins: its whole header against the ones of our zeros, and its body in a sum over all rows. Were a
-- label first refused in the sums of bins, the message, and how soon it came, would tell a host that damaged it which bin the row is in, and whether it is common.
SELECT require(is_numbered(block, getvariable('blocks')), 'the host did not encrypt each label once'),
       require(bool_and(l = (SELECT he_layout(ct) FROM scorecard_zeros LIMIT 1)), 'the host''s labels are not encrypted as agreed')
FROM (SELECT block, he_layout(ct) AS l FROM scorecard_labels);
SELECT he_sum(ct, getvariable('key')) IS NOT NULL AS valid FROM scorecard_labels;
CREATE OR REPLACE TEMP TABLE scorecard_parts (feature BIGINT, bin BIGINT, place BIGINT, ct BLOB);
SET VARIABLE portions = (getvariable('blocks') + 65535) // 65536;
SET VARIABLE k = 0;

-- part sums while getvariable('k') < (getvariable('features') + 15) // 16 * getvariable('portions')

-- for some columns and rows: the sum of the labels in each bin, by their places, with a zero, so that each has one; a statement reads each label once for all of its columns
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE first_feature = 1 + (getvariable('k') - 1) // getvariable('portions') * 16;
SET VARIABLE first = (getvariable('k') - 1) % getvariable('portions') * 65536;
SET VARIABLE sums_query = (
    SELECT 'SELECT code, duckpriv_he_sum_of(part, getvariable(''key'')) AS ct FROM (SELECT part, unnest([pair // 1024'
           || CASE WHEN getvariable('together') = 2 THEN ', (pair // 1048576 + getvariable(''places'')) * 1024 + pair % 1024' ELSE '' END || ']) AS code '
           || 'FROM (SELECT coalesce(' || string_agg('c' || i, ', ') || ') AS pair, duckpriv_he_part(handle, getvariable(''key'')) AS part FROM (SELECT handle, '
           || string_agg('((' || i || ' * ' || getvariable('places') || ' + place - 1) * 1024 + bins[' || i || ']) * 1024'
                         || CASE WHEN getvariable('together') = 2 THEN ' + coalesce(bins[' || (i + 1) || '], 0)' ELSE '' END || ' AS c' || i, ', ')
           || ' FROM (SELECT 1 + (row - 1) % getvariable(''places'') AS place, bins, handle FROM scorecard_rows '
           || 'JOIN (SELECT block, duckpriv_he_handle(ct, getvariable(''key'')) AS handle FROM scorecard_labels '
           || 'WHERE block > getvariable(''first'') AND block <= getvariable(''first'') + 65536) ON block = 1 + (row - 1) // getvariable(''places'') '
           || 'UNION ALL SELECT place, bins, duckpriv_he_handle(ct, getvariable(''key'')) FROM scorecard_zeros)) '
           || 'GROUP BY GROUPING SETS (' || string_agg('(c' || i || ')', ', ') || '))) '
           || 'WHERE code < ' || (getvariable('features') + 1) * getvariable('places') * 1024 || ' GROUP BY code'
    FROM range(getvariable('first_feature'), least(getvariable('first_feature') + 16, getvariable('features') + 1), getvariable('together')) t(i));
INSERT INTO scorecard_parts
    SELECT code // 1024 // getvariable('places'), code % 1024, 1 + code // 1024 % getvariable('places'), ct FROM query(getvariable('sums_query'));

-- part results

-- to the host: the sums, masked, without those of bin 0
CREATE OR REPLACE TEMP TABLE scorecard_split AS
    SELECT feature, bin, place, he_share_split(ct, getvariable('key'), sigma := getvariable('sigma')::INTEGER) AS s
    FROM (SELECT feature, bin, place, he_sum(ct, getvariable('key')) AS ct FROM scorecard_parts WHERE bin > 0 GROUP BY feature, bin, place);
SET VARIABLE release = {what: 'how many columns are binned', numbers: getvariable('features')::BIGINT,
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql
CALL exchange_send(getvariable('peer'), 'scorecard/sums', $$ SELECT feature, bin, place, s.send AS ct FROM scorecard_split ORDER BY feature, bin, place $$);
DROP TABLE scorecard_labels;
DROP TABLE scorecard_rows;

-- from the host: its shares of them
CREATE OR REPLACE TEMP TABLE scorecard_answers AS
    FROM exchange_recv(getvariable('peer'), 'scorecard/answers', columns := 'feature BIGINT, bin BIGINT, share BIGINT');
SELECT require(is_numbered((feature - 1) * getvariable('max_bins') + bin, getvariable('features') * getvariable('max_bins'))
               AND bool_and(feature BETWEEN 1 AND getvariable('features') AND bin BETWEEN 1 AND getvariable('max_bins') AND share >= 0 AND share < getvariable('modulus')),
               'the host did not answer for each sum once')
FROM scorecard_answers;
CALL key_forget(getvariable('key'));

-- How many labels in each bin are 1. With noise, what is more than 2.5 times all rows stands for a number below 0.
CREATE OR REPLACE TEMP TABLE scorecard_counts AS
    SELECT number, bin, CASE WHEN getvariable('epsilon') > 0 AND total >= 5 * getvariable('modulus') // 8 THEN total - getvariable('modulus') ELSE total END::BIGINT AS positives
    FROM (SELECT number, bin, (kept + share) % getvariable('modulus') AS total
          FROM (SELECT feature AS number, bin, share FROM scorecard_answers)
          JOIN (SELECT feature AS number, bin, sum(s.keep[place]::HUGEINT) AS kept FROM scorecard_split GROUP BY feature, bin) USING (number, bin));
CREATE OR REPLACE TEMP TABLE scorecard_found AS
    SELECT number, feature, bin, coalesce(rows, 0) AS rows, positives, bin <= last AS used
    FROM scorecard_counts JOIN scorecard_features USING (number)
    JOIN (SELECT feature, max(bin) AS last FROM scorecard_pieces GROUP BY feature) USING (feature)
    LEFT JOIN (SELECT feature, bin, sum(rows)::BIGINT AS rows FROM scorecard_pieces GROUP BY feature, bin) USING (feature, bin);

-- Counts that cannot be: more than the rows of a bin, or another sum for one column than for another. That is no error: the host would see it, and could choose
-- labels by which it tells which rows are common. There are no weights of evidence then.
SET VARIABLE impossible = (
    SELECT getvariable('epsilon') = 0 AND (bool_or(wrong) OR count(DISTINCT total) > 1)
    FROM (SELECT bool_or(positives > rows) AS wrong, sum(positives) AS total FROM scorecard_found GROUP BY feature));

-- results
CREATE OR REPLACE TEMP TABLE scorecard_used AS SELECT feature, bin, rows, positives FROM scorecard_found WHERE used;
CREATE OR REPLACE TABLE "${result}_bins" AS SELECT feature, bin, kind, lower, upper, category, rows FROM scorecard_pieces ORDER BY rowid;
CREATE OR REPLACE TABLE "${result}_woe" AS
    SELECT feature, bin, description, rows, positives, CASE WHEN NOT getvariable('impossible') THEN woe END AS woe,
           CASE WHEN NOT getvariable('impossible') THEN iv END AS iv
    FROM weight_of_evidence('scorecard_used') JOIN duckpriv_descriptions('scorecard_pieces') USING (feature, bin) ORDER BY feature, bin;
CREATE OR REPLACE TABLE "${result}_information_value" AS FROM information_value(getvariable('result') || '_woe');

-- what the weights of evidence lack
SELECT CASE WHEN getvariable('impossible') THEN 'the counts cannot be right: the host''s labels are not 0 and 1, or its answers are wrong; there are no weights of evidence. Do not tell the host: it could learn which rows are common'
            ELSE 'all common rows have the same label, or noise makes it look so: some columns have no weights of evidence' END AS note
WHERE EXISTS (FROM "${result}_woe" WHERE woe IS NULL);

-- summary
SELECT getvariable('rows') AS rows, getvariable('common') AS common, getvariable('features') AS columns,
       (SELECT count(*) FROM "${result}_woe") AS bins, exchange_bytes() AS bytes;
