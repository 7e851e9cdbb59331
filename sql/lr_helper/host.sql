-- Regression with a helper for the non-linear part, host: has the label. Guests run lr_helper/guest,
-- the helper lr_helper/helper. sql/lr_helper/README.md says what each message reveals.
--
-- set table                your table or view, one row for each record
-- set label                its column with the label
-- set host = host          the host's name, which is yours
-- set guests = guest       the guests' names, with commas between, in the same order at all
-- set helper = helper      the helper's name
-- set id =                 an id column that all tables share; empty: the alignments of private matching
-- set key =                with the alignments: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignments: the name of the table that private matching left; with several
--                          guests, of one for each guest: this name, _ and the guest's
-- set columns =            your feature columns, with commas between; empty: all numeric ones but id and label
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
-- next The weights that you may see are in ${result}; duckpriv report draws the training. To score rows, run lr_helper/predict_host, in a
-- next new session.

-- include shared/parties.sql
SELECT require(getvariable('me') = getvariable('host'),
               'you run as ' || getvariable('me') || ', and the host is ' || getvariable('host') || '; name it with --set host=NAME');

-- include shared/settings.sql

-- part alignment if getvariable('id') = ''

-- include shared/alignments.sql
-- include shared/both_lack.sql
-- include ../shared/id_column.sql

-- part no-alignment if getvariable('id') <> ''

-- include ../shared/none_lacking.sql

-- part rows

-- our feature columns
SET VARIABLE label_column = plain_name(getvariable('label'));
SET VARIABLE features = (
    SELECT coalesce(list(column_name), []::VARCHAR[])
    FROM feature_columns(getvariable('table'), getvariable('columns'), list_append(split_names(getvariable('id_column')), getvariable('label_column'))));
CREATE OR REPLACE TEMP TABLE lr_named AS
    SELECT id, random_id(row) AS draw, x[:-2] AS x, x[-1] AS y
    FROM matrix_rows(getvariable('table'), getvariable('id_column'),
                     names := list_append(getvariable('features'), getvariable('label_column')));

-- what the owner of the table allows; after psi only the guests know how many rows are common
SET VARIABLE policy = {tbl: getvariable('table'), peers: string_split(getvariable('everybody'), ','),
                       uses: policy_uses(list_append(getvariable('features'), getvariable('label_column')), 'train')
                             || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: (SELECT CASE WHEN getvariable('activation') = 'open' THEN 1
                                     WHEN getvariable('id') = '' THEN CASE WHEN NOT getvariable('with_loss') THEN getvariable('common_rows') END
                                     WHEN getvariable('with_loss') THEN count(*) // greatest(ceil(count(*) / getvariable('batch')::INTEGER), 1)::BIGINT
                                     ELSE count(*) END::BIGINT FROM lr_named), epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- what cannot be trained on
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(id) = count(*) AND count(DISTINCT id) = count(*),
               'an id is missing or occurs more than once; a model needs one row for each id: take a view that has one'),
       require(count(y) = count(*) AND bool_and(isfinite(y)), 'the label has to be a number in every row'),
       require(getvariable('kind') <> 'logistic' OR bool_and(y IN (0, 1)), 'the label has to be 0 or 1 in every row'),
       require(getvariable('kind') <> 'exp' OR bool_and(y >= 0), 'the label of a Poisson regression is not negative')
FROM lr_named;
-- include ../shared/features.sql

-- The rows in random order, standardised, with a column of ones for the intercept. Those that we lack, with their random ids, are 0.
CREATE OR REPLACE TEMP TABLE lr_drawn AS
    SELECT row_number() OVER (ORDER BY draw) AS row, id, x, y, name
    FROM (SELECT id, draw, x, y, NULL::VARCHAR AS name FROM lr_named UNION ALL SELECT NULL, random_id(name), NULL, NULL, name FROM rows_lacking);
CREATE OR REPLACE TEMP TABLE lr_matrix AS SELECT row, id, x, y FROM lr_drawn WHERE name IS NULL;
CREATE OR REPLACE TEMP TABLE lr_rows AS
    SELECT s.row, ring_encode([1.0::DOUBLE] || s.x) AS x, m.y, 1::UBIGINT AS present FROM standardise('lr_matrix') s JOIN lr_matrix m USING (row)
    UNION ALL
    SELECT row, list_resize([]::UBIGINT[], len(getvariable('features')) + 1, 0::UBIGINT), 0, 0 FROM lr_drawn WHERE name IS NOT NULL;
SET VARIABLE rows = (SELECT count(*) FROM lr_rows);
SET VARIABLE batches = ceil(getvariable('rows') / getvariable('batch')::INTEGER)::BIGINT;
SET VARIABLE width = len(getvariable('features')) + 1;

-- part limits if getvariable('activation') = 'blind'

-- include blind/limits.sql
-- include blind/pull.sql

-- part open-limits if getvariable('activation') = 'open'

-- include open/limits.sql

-- part label
SELECT require(max(abs(y)) <= getvariable('most'),
               'the label is too large: its largest magnitude can be ' || round(getvariable('most'), 3)
               || '; divide it, or have all parties set ' || CASE WHEN getvariable('activation') = 'blind' THEN 'a larger range' ELSE 'a smaller batch or learning_rate' END)
FROM lr_rows;

-- part precision if getvariable('activation') = 'blind'

-- What 64 bits leave for a residual. A label is rounded once, predictions anew in each step, without a trend (columns/activation.py).
SELECT require(rounded <= deviation / 100,
               'the labels differ by too little to be rounded to ' || getvariable('label_scale') || ' bits behind the point, which is what 64 bits leave; multiply '
               || 'the label, or have all parties set a smaller batch or range'),
       require(deviation = 0 OR noise <= deviation / 4,
               'the labels differ by less than what 64 bits leave for a prediction; have all parties set a smaller batch, range or decay')
FROM (SELECT stddev_pop(y) AS deviation,
             sqrt(avg((y - round(y * 2.0::DOUBLE ** getvariable('label_scale')) / 2.0::DOUBLE ** getvariable('label_scale')) ** 2)) AS rounded,
             CASE WHEN getvariable('kind') = 'identity' THEN 0.5::DOUBLE ** (getvariable('label_scale') + 1)
                  ELSE 2.0::DOUBLE ** (13 - getvariable('room')) * sqrt(activation_width(getvariable('kind'), getvariable('score_range'), false) / 24) END AS noise
      FROM lr_rows WHERE present = 1);

-- part name-seed
SET VARIABLE name_seed = (SELECT random_id(1)::VARCHAR);
SET VARIABLE k = 0;

-- part names-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE lr_spine AS
    SELECT guest, row, psi_id(id) AS name FROM lr_matrix, (SELECT unnest(getvariable('guest_list')) AS guest);

-- part names if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_spine (guest VARCHAR, row BIGINT, name VARCHAR);

-- part names-by-alignment while getvariable('id') = '' AND getvariable('k') < len(getvariable('guest_list'))
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE alignment = getvariable('alignments')[getvariable('k')];
INSERT INTO lr_spine
    SELECT getvariable('guest_list')[getvariable('k')], row, pid::VARCHAR
    FROM lr_matrix JOIN query_table(getvariable('alignment')) USING (id)
    UNION ALL
    SELECT getvariable('guest_list')[getvariable('k')], row, name FROM lr_drawn WHERE name IS NOT NULL;
SELECT require(count(*) = getvariable('rows'),
               getvariable('alignment') || ' does not have exactly the ids of the table; run private matching again')
FROM lr_spine WHERE guest = getvariable('guest_list')[getvariable('k')];

-- part seeds

-- include shared/seeds.sql

SET VARIABLE seed = (SELECT seed FROM lr_seeds WHERE party = getvariable('helper'));

-- the activation as a series: all need the very same numbers
CREATE OR REPLACE TEMP TABLE lr_series AS
    SELECT CASE WHEN getvariable('activation') = 'blind' THEN activation_series(getvariable('kind'), getvariable('score_range')) ELSE [] END AS series;

-- the seed of the batches, made of those with all guests, for activation=open; the helper does not get it
SET VARIABLE batch_seed = 'lrh-batch-' || getvariable('session');
SELECT seed_combine(getvariable('batch_seed'), list(seed ORDER BY party)) AS batch_seed
FROM lr_seeds WHERE party <> getvariable('helper');
SET VARIABLE k = 0;

SET VARIABLE release = {what: CASE getvariable('activation') WHEN 'open' THEN 'scores of all rows to the helper, ' ELSE '' END
                              || CASE getvariable('reveal') WHEN 'own' THEN 'weights' ELSE 'how many rows and features' END,
                        numbers: NULL::BIGINT, alignment: CASE WHEN getvariable('id') = '' THEN array_to_string(getvariable('alignments'), ', ') END};
-- include ../shared/release.sql

-- part spine while getvariable('k') < len(getvariable('guest_list'))

-- to each guest: what is trained, and the rows by a hash of their names
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE guest = getvariable('guest_list')[getvariable('k')];
CALL exchange_send(getvariable('guest'), 'lrh/start', $$
    SELECT getvariable('settings') AS settings, getvariable('name_seed') AS name_seed, getvariable('rows') AS rows, series,
           seed_seal(getvariable('batch_seed'), seed) AS batch_seed
    FROM lr_seeds, lr_series WHERE party = getvariable('guest') $$);
CALL exchange_send(getvariable('guest'), 'lrh/spine', $$
    SELECT row, sha256(getvariable('name_seed') || '/' || name) AS name FROM lr_spine
    WHERE guest = getvariable('guest') ORDER BY row $$);

-- part plan

-- to the helper: how much there is to do
CALL exchange_send(getvariable('helper'), 'lrh/plan', $$
    SELECT getvariable('parties') AS parties, getvariable('activation') AS activation, getvariable('kind') AS kind,
           getvariable('with_loss') AS with_loss, getvariable('rows') AS rows, getvariable('batches') AS batches,
           getvariable('iterations')::BIGINT AS iterations, getvariable('most') AS most, getvariable('score_range')::BIGINT AS score_range,
           getvariable('bits')::BIGINT AS bits, getvariable('label_scale')::BIGINT AS label_scale, getvariable('both_lack') AS both_lack $$);

-- include shared/plan.sql
-- include shared/widths.sql

SET VARIABLE records = coalesce(getvariable('common_rows'), getvariable('rows'));
-- include shared/hidden.sql

-- shares of which rows all guests have: so far of the first guest's rows
CREATE OR REPLACE TEMP TABLE lr_masks AS SELECT 0::BIGINT AS stage, list_resize([]::UBIGINT[], getvariable('rows'), 0::UBIGINT) AS share;
SET VARIABLE stage = 0;

-- part masks while getvariable('stage') < getvariable('stages')

-- shares of the product with the next guest's rows, or with ours if we lack some; at the end, with the labels
SET VARIABLE stage = getvariable('stage') + 1;
CREATE OR REPLACE TEMP TABLE lr_factors AS
    SELECT share AS x, CASE WHEN getvariable('stage') >= getvariable('counted')
                            THEN (SELECT ring_encode(list(y ORDER BY row), scale := getvariable('label_scale')) FROM lr_rows)
                            WHEN getvariable('stage') = len(getvariable('guest_list')) THEN (SELECT list(present ORDER BY row) FROM lr_rows)
                            ELSE list_resize([]::UBIGINT[], getvariable('rows'), 0::UBIGINT) END AS y
    FROM lr_masks WHERE stage = getvariable('stage') - 1;
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(getvariable('seed'), 'all-' || getvariable('stage') || '-a', getvariable('rows')) AS a,
           ring_random(getvariable('seed'), 'all-' || getvariable('stage') || '-b', getvariable('rows')) AS b, ab
    FROM exchange_recv(getvariable('helper'), 'lrh/deal-all-' || getvariable('stage'), columns := 'ab UBIGINT[]');
SELECT require(count(*) = 1, 'the helper has to deal once for each product') FROM lr_deal;
-- include shared/masks.sql

-- part set-up if getvariable('activation') = 'blind'

-- include blind/set_up.sql

-- part iteration while getvariable('activation') = 'blind' AND getvariable('iteration') < getvariable('iterations')::INTEGER

-- include blind/begin.sql
-- include blind/host_deal.sql

-- include blind/step.sql

-- done
SELECT loss, seconds, bytes FROM lr_log WHERE iteration = getvariable('iteration');

-- part open-set-up if getvariable('activation') = 'open'

-- include open/set_up.sql

-- part open-iteration while getvariable('activation') = 'open' AND getvariable('iteration') < getvariable('iterations')::INTEGER

-- include open/host.sql

-- part finish

-- include shared/reveal.sql

CREATE OR REPLACE TABLE "${result}" AS
    SELECT feature, weight, mean, deviation, weight_original, getvariable('training') AS training FROM (
        SELECT 0 AS position, '(intercept)' AS feature, weight, NULL::DOUBLE AS mean, NULL::DOUBLE AS deviation,
               weight - (SELECT coalesce(sum(w.weight * mean / deviation), 0)
                         FROM lr_own w JOIN lr_statistics s ON w.position = s.feature + 1) AS weight_original
        FROM lr_own WHERE position = 1
        UNION ALL
        SELECT s.feature, name, weight, mean, deviation, weight / deviation
        FROM lr_own w JOIN lr_statistics s ON w.position = s.feature + 1)
    ORDER BY position;
-- include shared/end.sql

-- include shared/forget.sql

-- summary
SELECT getvariable('rows') AS rows, getvariable('total') - 1 AS features, count(*) AS iterations,
       last(loss ORDER BY iteration) AS loss, round(sum(seconds), 1) AS seconds, sum(bytes)::BIGINT AS bytes
FROM "${log}";
