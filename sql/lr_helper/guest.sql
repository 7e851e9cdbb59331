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

-- include shared/parties.sql
SELECT require(list_contains(getvariable('guest_list'), getvariable('me')),
               'you run as ' || getvariable('me') || ', and the guests are ' || getvariable('guests') || '; name them with --set guests=…');

-- include shared/settings.sql

-- part alignment if getvariable('id') = ''

-- include ../shared/alignment.sql
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
CREATE OR REPLACE TEMP TABLE lr_absent (name VARCHAR);

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT pid::VARCHAR AS name, x FROM "${alignment}" LEFT JOIN lr_all USING (id);
CREATE OR REPLACE TEMP TABLE lr_absent AS SELECT pid::VARCHAR AS name FROM "${alignment}_unmatched";
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM lr_named WHERE x IS NULL;

-- part checks

-- what cannot be trained on
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*),
               'an id is missing or occurs more than once; a model needs one row for each id')
FROM lr_named;
-- include ../shared/features.sql

-- All names of the alignment, standardised; zeros for those that we have no record of. This is done before we receive
-- anything, since its time depends on how many records we have, and the host sees when we answer.
CREATE OR REPLACE TEMP TABLE lr_matrix AS SELECT row_number() OVER () AS row, name AS id, x FROM lr_named;
CREATE OR REPLACE TEMP TABLE lr_names AS
    SELECT id AS name, ring_encode(x) AS x, 1::UBIGINT AS present FROM standardise('lr_matrix')
    UNION ALL
    SELECT name, list_resize([]::UBIGINT[], getvariable('width'), 0::UBIGINT), 0 FROM lr_absent
    ORDER BY name;

-- part seeds

-- include shared/seeds.sql

SET VARIABLE seed = (SELECT seed FROM lr_seeds WHERE party = getvariable('helper'));

-- from the host: what is trained, the seed of the batches, and the rows by a hash of their names
CREATE OR REPLACE TEMP TABLE lr_start AS
    FROM exchange_recv(getvariable('host'), 'lrh/start',
                       columns := 'settings VARCHAR, name_seed VARCHAR, rows BIGINT, batch_seed BLOB');
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
    SELECT row, x, present
    FROM lr_spine s JOIN (SELECT x, present, sha256((SELECT name_seed FROM lr_start) || '/' || name) AS hash FROM lr_names) n
        ON s.name = n.hash;
SELECT require(count(*) = (SELECT count(*) FROM lr_names) AND count(*) = getvariable('rows'),
               'the host trains on other rows: it has ' || getvariable('rows') || ', we have ' || (SELECT count(*) FROM lr_names)
               || ', and ' || count(*) || ' are common. Use the alignments of one and the same matching, or tables with the same ids')
FROM lr_rows;

-- include shared/limits.sql

SET VARIABLE plan = 'kind=' || getvariable('kind') || ' rows=' || getvariable('rows') || ' batches=' || getvariable('batches')
    || ' iterations=' || getvariable('iterations')::BIGINT || ' most=' || getvariable('most');
-- include shared/widths.sql

SET VARIABLE records = (SELECT count(*) FROM lr_named);
-- include shared/hidden.sql

-- shares of which rows all guests have: so far of the first guest's rows
SET VARIABLE guest_number = list_position(getvariable('guest_list'), getvariable('me'));
CREATE OR REPLACE TEMP TABLE lr_mask AS
    SELECT list(CASE WHEN getvariable('guest_number') = 1 THEN present ELSE 0::UBIGINT END ORDER BY row) AS share FROM lr_rows;
SET VARIABLE k = 1;

-- part masks while getvariable('k') <= len(getvariable('guest_list'))

-- shares of the product with the next guest's rows; at the end, with the labels
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE stage = getvariable('k') - 1;
SET VARIABLE last = getvariable('k') > len(getvariable('guest_list'));
CREATE OR REPLACE TEMP TABLE lr_factors AS
    SELECT share AS x, (SELECT list(CASE WHEN getvariable('k') = getvariable('guest_number') THEN present ELSE 0::UBIGINT END ORDER BY row)
                        FROM lr_rows) AS y
    FROM lr_mask;
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(getvariable('seed'), 'all-' || getvariable('stage') || '-a', getvariable('rows')) AS a,
           ring_random(getvariable('seed'), 'all-' || getvariable('stage') || '-b', getvariable('rows')) AS b,
           ring_random(getvariable('seed'), 'all-' || getvariable('stage') || '-ab', getvariable('rows')) AS ab;
-- include shared/masks.sql

-- part set-up

-- the shares beside the rows; weights of 0
CREATE OR REPLACE TEMP TABLE lr_data AS
    SELECT row, x, m, my
    FROM lr_rows
    JOIN (SELECT generate_subscripts(m.share, 1) AS row, unnest(m.share) AS m, unnest(p.share) AS my
          FROM lr_mask m, lr_product p) USING (row);
CREATE OR REPLACE TEMP TABLE lr_order (epoch BIGINT, row BIGINT, place BIGINT);
CREATE OR REPLACE TEMP TABLE lr_weights AS SELECT list_resize([]::UBIGINT[], getvariable('total'), 0::UBIGINT) AS w;
CREATE OR REPLACE TEMP TABLE lr_log (iteration BIGINT, loss DOUBLE, gradient_norm DOUBLE, seconds DOUBLE, bytes BIGINT);
SET VARIABLE iteration = 0;

-- part iteration while getvariable('iteration') < getvariable('iterations')::INTEGER

-- the batch
SET VARIABLE iteration = getvariable('iteration') + 1;
SET VARIABLE before = {'time': epoch_ms(now()), 'bytes': exchange_bytes()};
SET VARIABLE epoch = (getvariable('iteration') - 1) // getvariable('batches');
SET VARIABLE number = (getvariable('iteration') - 1) % getvariable('batches');
DELETE FROM lr_order WHERE getvariable('number') = 0;
INSERT INTO lr_order
    SELECT getvariable('epoch'), row, row_number() OVER (ORDER BY batch_key(row, getvariable('batch_seed'), getvariable('epoch')))
    FROM lr_rows WHERE getvariable('number') = 0;
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT flatten(list(x ORDER BY place)) AS x, list(m ORDER BY place) AS m, list(my ORDER BY place) AS my, count(*) AS size
    FROM lr_order JOIN lr_data USING (row)
    WHERE (place - 1) * getvariable('batches') // getvariable('rows') = getvariable('number');
SET VARIABLE size = (SELECT size FROM lr_batch);

-- include shared/reach.sql

-- random numbers of this step: with the helper's seed
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(seed, step || '-u', size * width) AS u, ring_random(seed, step || '-t', total) AS t,
           ring_random(seed, step || '-c', size) AS c, ring_random(seed, step || '-a', 3 * size) AS a,
           ring_random(seed, step || '-b', 3 * size) AS b, ring_random(seed, step || '-ab', 3 * size) AS ab,
           ring_random(seed, step || '-t2', size) AS t2, ring_random(seed, step || '-c2', total) AS c2,
           ring_random(seed, step || '-r1', total) AS r1, ring_random(seed, step || '-s1', total) AS s1,
           ring_random(seed, step || '-p1', total) AS p1, ring_random(seed, step || '-r2', total) AS r2,
           ring_random(seed, step || '-s2', total) AS s2, ring_random(seed, step || '-p2', total) AS p2
    FROM (SELECT getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step, getvariable('size') AS size,
                 getvariable('width') AS width, getvariable('total') AS total);

-- include shared/scores.sql

-- residuals: prediction less label where all have a record, and the terms of the loss
CREATE OR REPLACE TEMP TABLE lr_factors AS
    SELECT list_concat(m, list_concat(m, my)) AS x,
           list_concat(ring_random(seed, step || '-value', size),
                       list_concat(ring_random(seed, step || '-loss', size), ring_random(seed, step || '-score', size))) AS y
    FROM (SELECT m, my, getvariable('size') AS size, getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step FROM lr_batch);
-- include shared/step.sql

-- loss: our share to the host, of a mean over the batch, with noise
CALL exchange_send(getvariable('host'), 'lrh/loss-' || getvariable('iteration'), $$
    SELECT ring_add(loss, ring_encode([gaussian_noise(1, getvariable('noise')::DOUBLE / sqrt(getvariable('size')))], scale := 40)) AS loss
    FROM lr_residual WHERE getvariable('with_loss') $$);
INSERT INTO lr_log
    SELECT getvariable('iteration'), NULL, NULL, (epoch_ms(now()) - getvariable('before').time) / 1000,
           exchange_bytes() - getvariable('before').bytes;

-- done
SELECT seconds, bytes FROM lr_log WHERE iteration = getvariable('iteration');

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
