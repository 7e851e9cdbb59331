-- Regression with a helper for the non-linear part, guest: has features. The host runs lr_helper/host,
-- the helper lr_helper/helper. sql/lr_helper/README.md says what each message reveals.
--
-- set table                your table or view, one row for each record
-- set host = host          the host's name
-- set guests = guest       the guests' names, with commas between, in the same order at all
-- set helper = helper      the helper's name
-- set id =                 an id column that all tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set columns =            your feature columns, with commas between; empty: all numeric ones but the id
-- set kind = logistic      the model: logistic, identity (linear regression) or exp (Poisson regression)
-- set activation = blind   the helper sees nothing (blind), or every score, without its row (open)
-- set range =              with blind: the scores that are allowed, from -range to range: 6, 12, 24, …; kind=exp: from -2/3 to 1/3
--                          of it. Empty: 24; with kind=exp 12, with kind=identity 384
-- set iterations = 100     how many steps, the same at all parties, as are the following
-- set batch = 1000         how many rows at most in a step
-- set learning_rate = 0.5  the length of a step
-- set decay = 0            the learning rate of step i is learning_rate / (1 + decay * (i - 1))
-- set l2 = 0               how strongly weights are drawn to 0
-- set loss = auto          whether the host sees each step's loss: yes, no, or auto: only with id=…, as it tells how many
--                          rows of a batch are common
-- set reveal = own         who sees the weights: own (each party those of its features) or none (they stay shared)
-- set noise = 0.5          deviation of the noise on each row's part of the loss, where the host sees it
-- set accept_disclosure = no  yes: train although weights and losses may tell the parties each other's rows
-- set most_features = 10000  refuse to train with more features of all parties together
-- set result = model       the name of the table with the weights, in your current schema
-- set log = training_log   the name of the table with what each step did
--
-- next The weights that you may see are in ${result}; duckpriv report draws the training. To score rows, run lr_helper/predict_guest, in a
-- next new session.

-- include shared/parties.sql
SELECT require(list_contains(getvariable('guest_list'), getvariable('me')),
               'you run as ' || getvariable('me') || ', and the guests are ' || getvariable('guests') || '; name them with --set guests=…');

-- include shared/settings.sql

-- part alignment if getvariable('id') = ''

-- include ../shared/alignment.sql
-- include ../shared/lacking.sql
-- include shared/both_lack.sql
-- include ../shared/id_column.sql

-- part rows

-- our feature columns
SET VARIABLE features = (
    SELECT coalesce(list(column_name), []::VARCHAR[])
    FROM feature_columns(getvariable('table'), getvariable('columns'), split_names(getvariable('id_column'))));
SELECT require(len(getvariable('features')) > 0, 'the table has no numeric column but the id');
CREATE OR REPLACE TEMP TABLE lr_all AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := getvariable('features'));
SET VARIABLE width = len(getvariable('features'));

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT psi_id(id) AS name, x FROM lr_all;
-- include ../shared/none_lacking.sql

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT pid::VARCHAR AS name, x FROM "${alignment}" LEFT JOIN lr_all USING (id);
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM lr_named WHERE x IS NULL;

-- part checks

-- what the owner of the table allows; with an alignment nobody knows how many rows of a batch are common, or of several guests
SET VARIABLE policy = {tbl: getvariable('table'), peers: string_split(getvariable('everybody'), ','),
                       uses: policy_uses(getvariable('features'), 'train') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: (SELECT CASE WHEN getvariable('activation') = 'open' THEN 1
                                     WHEN len(getvariable('guest_list')) > 1 AND getvariable('id') = '' THEN NULL
                                     WHEN NOT getvariable('with_loss') THEN coalesce(getvariable('common_rows'), count(*))
                                     WHEN getvariable('id') <> '' THEN count(*) // greatest(ceil(count(*) / getvariable('batch')::INTEGER), 1)::BIGINT END::BIGINT
                                FROM lr_named), epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- what cannot be trained on
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*),
               'an id is missing or occurs more than once; a model needs one row for each id: take a view that has one')
FROM lr_named;
-- include ../shared/features.sql

-- All names of the alignment, standardised; zeros for those that we have no record of. This is done before we receive
-- anything, since its time depends on how many records we have, and the host sees when we answer.
CREATE OR REPLACE TEMP TABLE lr_matrix AS SELECT row_number() OVER () AS row, name AS id, x FROM lr_named;
CREATE OR REPLACE TEMP TABLE lr_names AS
    SELECT id AS name, ring_encode(x) AS x, 1::UBIGINT AS present FROM standardise('lr_matrix')
    UNION ALL
    SELECT name, list_resize([]::UBIGINT[], getvariable('width'), 0::UBIGINT), 0 FROM rows_lacking
    ORDER BY name;
SET VARIABLE records = coalesce(getvariable('common_rows'), (SELECT count(*) FROM lr_named));
SET VARIABLE names = (SELECT count(*) FROM lr_names);
DROP TABLE lr_all;
DROP TABLE lr_named;
DROP TABLE lr_matrix;

-- part seeds

-- include shared/seeds.sql

SET VARIABLE seed = (SELECT seed FROM lr_seeds WHERE party = getvariable('helper'));

-- from the host: what is trained, the seed of the batches, and the rows by a hash of their names
CREATE OR REPLACE TEMP TABLE lr_start AS
    FROM exchange_recv(getvariable('host'), 'lrh/start',
                       columns := 'settings VARCHAR, name_seed VARCHAR, rows BIGINT, series BIGINT[], batch_seed BLOB');
SELECT require(count(*) = 1, 'the host has to send one start message'),
       require(bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the host has ' || left(any_value(settings), 500) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session'),
       require(bool_and(rows > 0 AND length(name_seed) <= 100), 'the host''s start message makes no sense')
FROM lr_start;
SET VARIABLE batch_seed = 'lrh-batch-' || getvariable('session');
SELECT seed_open(getvariable('batch_seed'), seed, batch_seed) AS batch_seed
FROM lr_start, lr_seeds WHERE party = getvariable('host');
SET VARIABLE rows = (SELECT rows FROM lr_start);
SET VARIABLE batches = ceil(getvariable('rows') / getvariable('batch')::INTEGER)::BIGINT;
CREATE OR REPLACE TEMP TABLE lr_spine AS
    FROM exchange_recv(getvariable('host'), 'lrh/spine', columns := 'row BIGINT, name VARCHAR');
SELECT require(is_numbered(row, getvariable('rows')) AND count(DISTINCT name) = count(*),
               'the host''s rows are not numbered one by one, or have one name twice')
FROM lr_spine;

-- all rows by the host's numbers
CREATE OR REPLACE TEMP TABLE lr_rows AS
    SELECT row, x, NULL::DOUBLE AS y, present
    FROM lr_spine s JOIN (SELECT x, present, sha256((SELECT name_seed FROM lr_start) || '/' || name) AS hash FROM lr_names) n
        ON s.name = n.hash;
SELECT require(count(*) = getvariable('names') AND count(*) = getvariable('rows'),
               'the host trains on other rows: it has ' || getvariable('rows') || ', we have ' || getvariable('names')
               || ', and ' || count(*) || ' are common. Use the alignments of one and the same matching, or tables with the same ids')
FROM lr_rows;
DROP TABLE lr_names;
DROP TABLE lr_spine;

-- part limits if getvariable('activation') = 'blind'

-- include blind/limits.sql
-- include blind/pull.sql

-- the activation as a series: all need the very same numbers, and two machines may round one differently
CREATE OR REPLACE TEMP TABLE lr_series AS SELECT series FROM lr_start;
SELECT require(len(series) = len(own) AND list_max(list_transform(list_zip(series, own), lambda pair: abs(pair[1] - pair[2]))) <= 2,
               'the host''s series is not that of the activation')
FROM (SELECT series, activation_series(getvariable('kind'), getvariable('score_range')) AS own FROM lr_series);

-- part open-limits if getvariable('activation') = 'open'

-- include open/limits.sql

-- part plan

-- include shared/plan.sql

SET VARIABLE release = {what: CASE getvariable('activation') WHEN 'open' THEN 'scores of all rows to the helper, ' ELSE '' END
                              || CASE getvariable('reveal') WHEN 'own' THEN 'weights' ELSE 'how many rows and features' END || CASE WHEN getvariable('with_loss') THEN ', losses' ELSE '' END,
                        numbers: NULL::BIGINT, alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql

-- include shared/widths.sql

-- include shared/hidden.sql

-- shares of which rows all guests have: so far of the first guest's rows
SET VARIABLE guest_number = list_position(getvariable('guest_list'), getvariable('me'));
CREATE OR REPLACE TEMP TABLE lr_masks AS
    SELECT 0::BIGINT AS stage, list(CASE WHEN getvariable('guest_number') = 1 THEN present ELSE 0::UBIGINT END ORDER BY row) AS share FROM lr_rows;
SET VARIABLE stage = 0;

-- part masks while getvariable('stage') < getvariable('stages')

-- shares of the product with the next guest's rows; at the end, with the labels
SET VARIABLE stage = getvariable('stage') + 1;
CREATE OR REPLACE TEMP TABLE lr_factors AS
    SELECT share AS x, (SELECT list(CASE WHEN getvariable('stage') + 1 = getvariable('guest_number') THEN present ELSE 0::UBIGINT END ORDER BY row)
                        FROM lr_rows) AS y
    FROM lr_masks WHERE stage = getvariable('stage') - 1;
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(getvariable('seed'), 'all-' || getvariable('stage') || '-a', getvariable('rows')) AS a,
           ring_random(getvariable('seed'), 'all-' || getvariable('stage') || '-b', getvariable('rows')) AS b,
           ring_random(getvariable('seed'), 'all-' || getvariable('stage') || '-ab', getvariable('rows')) AS ab;
-- include shared/masks.sql

-- part set-up if getvariable('activation') = 'blind'

-- include blind/set_up.sql

-- part iteration while getvariable('activation') = 'blind' AND getvariable('iteration') < getvariable('iterations')::INTEGER

-- include blind/begin.sql
-- include blind/guest_deal.sql

-- include blind/step.sql

-- done
SELECT seconds, bytes FROM lr_log WHERE iteration = getvariable('iteration');

-- part open-set-up if getvariable('activation') = 'open'

-- include open/set_up.sql

-- part open-iteration while getvariable('activation') = 'open' AND getvariable('iteration') < getvariable('iterations')::INTEGER

-- include open/guest.sql

-- part finish

-- include shared/reveal.sql

CREATE OR REPLACE TABLE "${result}" AS
    SELECT feature, weight, mean, deviation, weight_original, getvariable('training') AS training FROM (
        SELECT 0 AS position, '(intercept)' AS feature, 0.0::DOUBLE AS weight, NULL::DOUBLE AS mean,
               NULL::DOUBLE AS deviation,
               -(SELECT sum(w.weight * mean / deviation)
                 FROM lr_own w JOIN lr_statistics s ON w.position = s.feature) AS weight_original
        UNION ALL
        SELECT s.feature, name, weight, mean, deviation, weight / deviation
        FROM lr_own w JOIN lr_statistics s ON w.position = s.feature)
    ORDER BY position;
-- include shared/end.sql

-- include shared/forget.sql

-- summary
SELECT getvariable('rows') AS rows, getvariable('total') - 1 AS features, count(*) AS iterations, round(sum(seconds), 1) AS seconds, sum(bytes)::BIGINT AS bytes
FROM "${log}";
