-- Regression with a helper for the non-linear part, guest: has features. The host runs lr_helper/host,
-- the helper lr_helper/helper. sql/lr_helper/README.md says what each message reveals.
--
-- set table                your table or view, one row for each record
-- set host = host          the host's name
-- set guests = guest       the guests' names, with commas between, in the same order at all
-- set helper = helper      the helper's name
-- set id =                 an id column that all tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set columns =            your feature columns, with commas between; empty: all numeric ones but the id
-- set kind = logistic      the model: logistic, identity (linear regression) or exp (Poisson regression)
-- set iterations = 100     how many steps, the same at all parties, as are the following
-- set batch = 1000         how many rows at most in a step
-- set learning_rate = 0.5  the length of a step
-- set decay = 0            the learning rate of step i is learning_rate / (1 + decay * (i - 1))
-- set l2 = 0               how strongly weights are drawn to 0
-- set reveal = own         who sees the weights: own (each party those of its features) or none (they stay shared)

-- the parties
SET VARIABLE duckpriv_protocol = 'lr_helper/1';
SET VARIABLE duckpriv_parameters = '';
SET VARIABLE guest_list = list_transform(string_split(getvariable('guests'), ','), lambda name: trim(name));
SET VARIABLE parties = list_prepend(getvariable('host'), getvariable('guest_list'));
SELECT require(len(list_distinct(list_append(getvariable('parties'), getvariable('helper')))) = len(getvariable('parties')) + 1,
               'host, guests and helper have to be different parties'),
       require(list_contains(getvariable('guest_list'), getvariable('me')),
               'you run as ' || getvariable('me') || ', and the guests are ' || getvariable('guests') || '; name them with --set guests=…');
SET VARIABLE others = array_to_string(list_filter(getvariable('parties'), lambda name: name <> getvariable('me')), ',');
SET VARIABLE everybody = getvariable('others') || ',' || getvariable('helper');

-- settings
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END
    || ' parties=' || array_to_string(getvariable('parties'), ',') || ' kind=' || getvariable('kind')
    || ' iterations=' || getvariable('iterations')::INTEGER || ' batch=' || getvariable('batch')::INTEGER
    || ' learning_rate=' || getvariable('learning_rate')::DOUBLE || ' decay=' || getvariable('decay')::DOUBLE
    || ' l2=' || getvariable('l2')::DOUBLE || ' reveal=' || getvariable('reveal');
SELECT require(getvariable('kind') IN ('logistic', 'identity', 'exp'), 'kind is logistic, identity or exp'),
       require(getvariable('reveal') IN ('own', 'none'), 'reveal is own or none'),
       require(getvariable('iterations')::INTEGER > 0 AND getvariable('batch')::INTEGER > 0
               AND getvariable('learning_rate')::DOUBLE > 0 AND getvariable('decay')::DOUBLE >= 0
               AND getvariable('l2')::DOUBLE >= 0,
               'iterations, batch and learning_rate have to be more than 0, and decay and l2 not less'),
       require_result('model', ['feature', 'weight', 'mean', 'deviation', 'weight_original', 'training']),
       require_result('model_share', ['party', 'position', 'share', 'training']),
       require_result('training_log', ['iteration', 'loss', 'gradient_norm', 'seconds', 'bytes']);
SET VARIABLE id_column = getvariable('id');

-- part alignment if getvariable('id') = ''

-- the alignment that private matching left, and the column with its ids
SELECT require(1 = (SELECT count(*) FROM duckdb_tables() WHERE table_name = 'alignment'
                    AND database_name = current_database() AND schema_name = current_schema()),
               'there is no table alignment; run private matching first (psi/guest), or name an id column that all '
               || 'tables share with --set id=COLUMN');
SET VARIABLE key_query = (SELECT duckpriv_alignment_key_query(getvariable('table'), list(column_name))
                          FROM (DESCRIBE FROM query_table(getvariable('table'))));
SET VARIABLE id_column = CASE WHEN getvariable('key') <> '' THEN getvariable('key')
    ELSE (SELECT CASE WHEN count(*) = 1 THEN any_value(column_name) END FROM query(getvariable('key_query'))) END;
SELECT require(getvariable('id_column') IS NOT NULL,
               'no column of the table, or more than one, holds every id of the alignment; name it with --set key=COLUMN');

-- part rows

-- our feature columns
SET VARIABLE features = (
    SELECT coalesce(list(column_name), []::VARCHAR[])
    FROM feature_columns(getvariable('table'), getvariable('columns'), [getvariable('id_column')]));
SELECT require(trim(getvariable('columns'), ', ') = ''
               OR len(getvariable('features')) = len(list_filter(string_split(getvariable('columns'), ','), lambda c: trim(c) <> '')),
               'columns names a column that is not there, is named twice, or is the id'),
       require(len(getvariable('features')) > 0, 'the table has no numeric column but the id');
CREATE OR REPLACE TEMP TABLE lr_all AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := getvariable('features'));
SET VARIABLE width = len(getvariable('features'));

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT psi_id(id) AS name, x FROM lr_all;

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT pid::VARCHAR AS name, x FROM alignment LEFT JOIN lr_all USING (id);
SELECT require(count(*) = 0, count(*) || ' ids of the alignment are not in the table any more; run private matching again')
FROM lr_named WHERE x IS NULL;

-- part checks

-- what cannot be trained on
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*),
               'an id is missing or occurs more than once; a model needs one row for each id')
FROM lr_named;
SELECT require(count(*) = 0, 'not every row has a number in ' || string_agg(DISTINCT getvariable('features')[feature], ', ')
               || '; fill them in, or leave the columns out with --set columns=…')
FROM (SELECT generate_subscripts(x, 1) AS feature, unnest(x) AS number FROM lr_named)
WHERE number IS NULL OR NOT isfinite(number);
CREATE OR REPLACE TEMP TABLE lr_statistics AS
    SELECT getvariable('features')[feature] AS name, feature, mean, deviation FROM feature_statistics('lr_named');
SELECT require(count(*) = 0, 'the same number in every row: ' || string_agg(name, ', ')
               || '; leave such columns out with --set columns=…')
FROM lr_statistics WHERE deviation = 0;

-- part seeds

-- a seed with each party: our part, and a commitment to it
SET VARIABLE part = 'lrh-' || getvariable('session') || '-' || getvariable('me');
CALL seed_keygen(getvariable('part'));
CALL exchange_send(getvariable('everybody'), 'lrh/commitment', $$ SELECT seed_commitment(getvariable('part')) AS commitment $$);

-- our part, once all have committed themselves
CREATE OR REPLACE TEMP TABLE lr_commitments AS
    FROM exchange_recv_all(getvariable('everybody'), 'lrh/commitment', columns := 'commitment BLOB');
SELECT require(count(*) = len(getvariable('parties')) AND count(DISTINCT sender) = count(*), 'each party has to send one commitment')
FROM lr_commitments;
CALL exchange_send(getvariable('everybody'), 'lrh/part', $$ SELECT seed_part(getvariable('part')) AS part $$);

-- the seeds
CREATE OR REPLACE TEMP TABLE lr_seeds AS
    SELECT sender AS party, agreed_seed('lrh-' || getvariable('session') || '-with-' || sender, getvariable('part'),
                                        'lrh-' || getvariable('session') || '-' || sender, commitment, p.part) AS seed
    FROM exchange_recv_all(getvariable('everybody'), 'lrh/part', columns := 'part BLOB') p JOIN lr_commitments USING (sender);
SELECT require(count(*) = len(getvariable('parties')), 'each party has to send one part of a seed') FROM lr_seeds;
SET VARIABLE seed = (SELECT seed FROM lr_seeds WHERE party = getvariable('helper'));

-- from the host: what is trained, the seed of the batches, and the rows by a hash of their names
CREATE OR REPLACE TEMP TABLE lr_start AS
    FROM exchange_recv(getvariable('host'), 'lrh/start',
                       columns := 'settings VARCHAR, name_seed VARCHAR, rows BIGINT, batch_seed BLOB');
SELECT require(count(*) = 1, 'the host has to send one start message'),
       require(bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the host has ' || any_value(settings) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session')
FROM lr_start;
SET VARIABLE batch_seed = 'lrh-' || getvariable('session') || '-batch';
SELECT seed_open(getvariable('batch_seed'), seed, batch_seed) AS batch_seed
FROM lr_start, lr_seeds WHERE party = getvariable('host');
SET VARIABLE rows = (SELECT rows FROM lr_start);
SET VARIABLE batches = ceil(getvariable('rows') / getvariable('batch')::INTEGER)::BIGINT;
CREATE OR REPLACE TEMP TABLE lr_spine AS
    FROM exchange_recv(getvariable('host'), 'lrh/spine', columns := 'row BIGINT, name VARCHAR');
SELECT require(list(row ORDER BY row) = range(1, getvariable('rows') + 1) AND count(DISTINCT name) = count(*),
               'the host''s rows are not numbered one by one, or have one name twice')
FROM lr_spine;

-- our rows by the host's numbers, standardised; zeros for those that we have no record of
CREATE OR REPLACE TEMP TABLE lr_matrix AS
    SELECT row, n.name AS id, x
    FROM lr_spine s JOIN (SELECT *, sha256((SELECT name_seed FROM lr_start) || '/' || name) AS hash FROM lr_named) n ON s.name = n.hash;
SELECT require(count(*) = (SELECT count(*) FROM lr_named) AND (getvariable('id') = '' OR count(*) = getvariable('rows')),
               'the host trains on other rows: it has ' || getvariable('rows') || ', we have ' || (SELECT count(*) FROM lr_named)
               || ', and ' || count(*) || ' are common. Use the alignments of one and the same matching, or tables with the same ids')
FROM lr_matrix;
CREATE OR REPLACE TEMP TABLE lr_rows AS
    SELECT row, ring_encode(coalesce(m.x, list_resize([]::DOUBLE[], getvariable('width'), 0.0))) AS x,
           (m.x IS NOT NULL)::UBIGINT AS present
    FROM lr_spine s LEFT JOIN standardise('lr_matrix') m USING (row);

-- how many features each party has
CALL exchange_send(getvariable('everybody'), 'lrh/shape', $$ SELECT getvariable('width')::BIGINT AS width $$);
CREATE OR REPLACE TEMP TABLE lr_parties AS
    SELECT *, coalesce(sum(width) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS start
    FROM (SELECT party, list_position(getvariable('parties'), party) AS position, width
          FROM (SELECT getvariable('me') AS party, getvariable('width')::BIGINT AS width
                UNION ALL SELECT sender, width FROM exchange_recv_all(getvariable('others'), 'lrh/shape', columns := 'width BIGINT')));
SELECT require(count(*) = len(getvariable('parties')) AND min(width) > 0, 'each party has to say once how many features it has')
FROM lr_parties;
SET VARIABLE total = (SELECT sum(width)::BIGINT FROM lr_parties);
SET VARIABLE start = (SELECT start FROM lr_parties WHERE party = getvariable('me'));

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
CALL exchange_send(getvariable('others'), 'lrh/open-all-' || getvariable('stage'),
    $$ SELECT ring_sub(x, a) AS d, ring_sub(y, b) AS e FROM lr_factors, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_product AS
    SELECT ring_add(ab, ring_add(ring_mul(d, b), ring_mul(e, a))) AS share
    FROM lr_deal,
         (SELECT ring_add(ring_sub(x, a), od) AS d, ring_add(ring_sub(y, b), oe) AS e
          FROM lr_factors, lr_deal,
               (SELECT ring_sum(d) AS od, ring_sum(e) AS oe
                FROM exchange_recv_all(getvariable('others'), 'lrh/open-all-' || getvariable('stage'), columns := 'd UBIGINT[], e UBIGINT[]')));
CREATE OR REPLACE TEMP TABLE lr_mask AS
    SELECT CASE WHEN getvariable('last') THEN m.share ELSE p.share END AS share FROM lr_mask m, lr_product p;

-- part set-up

-- the shares beside the rows; the order of the rows in every epoch; weights of 0
CREATE OR REPLACE TEMP TABLE lr_data AS
    SELECT row, x, m, my
    FROM lr_rows
    JOIN (SELECT generate_subscripts(m.share, 1) AS row, unnest(m.share) AS m, unnest(p.share) AS my
          FROM lr_mask m, lr_product p) USING (row);
CREATE OR REPLACE TEMP TABLE lr_order AS
    SELECT epoch, row, row_number() OVER (PARTITION BY epoch ORDER BY batch_key(row, getvariable('batch_seed'), epoch)) AS place
    FROM lr_rows, (SELECT unnest(range(0, ceil(getvariable('iterations')::INTEGER / getvariable('batches'))::BIGINT)) AS epoch);
CREATE OR REPLACE TEMP TABLE lr_weights AS SELECT list_resize([]::UBIGINT[], getvariable('total'), 0::UBIGINT) AS w;
CREATE OR REPLACE TEMP TABLE lr_log (iteration BIGINT, loss DOUBLE, gradient_norm DOUBLE, seconds DOUBLE, bytes BIGINT);
SET VARIABLE iteration = 0;

-- part iteration while getvariable('iteration') < getvariable('iterations')::INTEGER

-- the batch
SET VARIABLE iteration = getvariable('iteration') + 1;
SET VARIABLE started = epoch_ms(now());
SET VARIABLE bytes_before = exchange_bytes();
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT flatten(list(x ORDER BY place)) AS x, list(m ORDER BY place) AS m, list(my ORDER BY place) AS my, count(*) AS size
    FROM lr_order JOIN lr_data USING (row)
    WHERE epoch = (getvariable('iteration') - 1) // getvariable('batches')
      AND (place - 1) * getvariable('batches') // getvariable('rows') = (getvariable('iteration') - 1) % getvariable('batches');
SET VARIABLE size = (SELECT size FROM lr_batch);

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

-- scores: features and weights, masked, to the other parties
CALL exchange_send(getvariable('others'), 'lrh/open-x-' || getvariable('iteration'),
    $$ SELECT ring_sub(x, u) AS e, ring_sub(w, t) AS f FROM lr_batch, lr_deal, lr_weights $$);
CREATE OR REPLACE TEMP TABLE lr_open AS
    SELECT sender, position, e, f, start, width
    FROM exchange_recv_all(getvariable('others'), 'lrh/open-x-' || getvariable('iteration'), columns := 'e UBIGINT[], f UBIGINT[]')
    JOIN lr_parties ON party = sender;
SELECT require(count(*) = len(getvariable('parties')) - 1
               AND bool_and(len(e) = getvariable('size') * width AND len(f) = getvariable('total')),
               'a party''s masked features and weights do not have the size of the batch')
FROM lr_open;

-- scores: our shares to the helper
CREATE OR REPLACE TEMP TABLE lr_score AS
    SELECT ring_add(c, ring_add(
               ring_matvec(x, ring_add(w, (SELECT ring_sum(f) FROM lr_open))[getvariable('start') + 1 : getvariable('start') + getvariable('width')]),
               (SELECT ring_sum(ring_matvec(e, t[start + 1 : start + width])) FROM lr_open))) AS z
    FROM lr_batch, lr_deal, lr_weights;
CALL exchange_send(getvariable('helper'), 'lrh/score-' || getvariable('iteration'), $$ SELECT z FROM lr_score $$);

-- residuals: prediction less label where all have a record, and the terms of the loss
CREATE OR REPLACE TEMP TABLE lr_factors AS
    SELECT list_concat(m, list_concat(m, my)) AS x,
           list_concat(ring_random(seed, step || '-value', size),
                       list_concat(ring_random(seed, step || '-loss', size), ring_random(seed, step || '-score', size))) AS y
    FROM (SELECT m, my, size, getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step FROM lr_batch);
CALL exchange_send(getvariable('others'), 'lrh/open-product-' || getvariable('iteration'),
    $$ SELECT ring_sub(x, a) AS d, ring_sub(y, b) AS e FROM lr_factors, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_product AS
    SELECT ring_add(ab, ring_add(ring_mul(d, b), ring_mul(e, a))) AS share
    FROM lr_deal,
         (SELECT ring_add(ring_sub(x, a), od) AS d, ring_add(ring_sub(y, b), oe) AS e
          FROM lr_factors, lr_deal,
               (SELECT ring_sum(d) AS od, ring_sum(e) AS oe
                FROM exchange_recv_all(getvariable('others'), 'lrh/open-product-' || getvariable('iteration'),
                                       columns := 'd UBIGINT[], e UBIGINT[]')));
CREATE OR REPLACE TEMP TABLE lr_residual AS
    SELECT share[: getvariable('size')] AS e,
           ring_sub(ring_vecmat(share[getvariable('size') + 1 : 2 * getvariable('size')], ones),
                    ring_vecmat(share[2 * getvariable('size') + 1 :], ones)) AS loss
    FROM lr_product, (SELECT list_resize([]::UBIGINT[], getvariable('size'), 1::UBIGINT) AS ones);

-- gradient: residuals, masked, to the other parties
CALL exchange_send(getvariable('others'), 'lrh/open-residual-' || getvariable('iteration'),
    $$ SELECT ring_sub(e, t2) AS f FROM lr_residual, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_open_residual AS
    FROM exchange_recv_all(getvariable('others'), 'lrh/open-residual-' || getvariable('iteration'), columns := 'f UBIGINT[]');
CREATE OR REPLACE TEMP TABLE lr_gradient AS
    SELECT ring_add(c2, g) AS g
    FROM lr_deal, (
        SELECT flatten(list(part ORDER BY position)) AS g FROM (
            SELECT position, ring_vecmat(t2, e) AS part FROM lr_open, lr_deal
            UNION ALL
            SELECT list_position(getvariable('parties'), getvariable('me')),
                   lr_shared_gradient(x, r.e, (SELECT ring_sum(f) FROM lr_open_residual))
            FROM lr_batch, lr_residual r));

-- gradient: back to scale 20, from the opened sum with a random number
CALL exchange_send(getvariable('others'), 'lrh/open-gradient-' || getvariable('iteration'),
    $$ SELECT ring_add(g, r1) AS c FROM lr_gradient, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_truncated AS
    SELECT share_truncate(ring_add(ring_add(g, r1), ring_add(opened, positive)), s1, p1, 20, false) AS g
    FROM lr_gradient, lr_deal,
         (SELECT ring_sum(c) AS opened, list_resize([]::UBIGINT[], getvariable('total'), 4611686018427387904::UBIGINT) AS positive
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-gradient-' || getvariable('iteration'), columns := 'c UBIGINT[]'));

-- update: the step at scale 50, for all but the intercept with the pull to 0
SET VARIABLE rate = getvariable('learning_rate')::DOUBLE / (1 + getvariable('decay')::DOUBLE * (getvariable('iteration') - 1));
CREATE OR REPLACE TEMP TABLE lr_step AS
    SELECT ring_add(ring_scale(g, -round(getvariable('rate') / getvariable('size') * 2 ** 30)::BIGINT),
                    ring_scale(list_prepend(0::UBIGINT, w[2:]), -round(getvariable('rate') * getvariable('l2')::DOUBLE * 2 ** 30)::BIGINT)) AS v
    FROM lr_truncated, lr_weights;
CALL exchange_send(getvariable('others'), 'lrh/open-step-' || getvariable('iteration'),
    $$ SELECT ring_add(v, r2) AS c FROM lr_step, lr_deal $$);
CREATE OR REPLACE TEMP TABLE lr_weights AS
    SELECT ring_add(w, share_truncate(ring_add(ring_add(v, r2), ring_add(opened, positive)), s2, p2, 30, false)) AS w
    FROM lr_weights, lr_step, lr_deal,
         (SELECT ring_sum(c) AS opened, list_resize([]::UBIGINT[], getvariable('total'), 4611686018427387904::UBIGINT) AS positive
          FROM exchange_recv_all(getvariable('others'), 'lrh/open-step-' || getvariable('iteration'), columns := 'c UBIGINT[]'));

-- loss: our share to the host
CALL exchange_send(getvariable('host'), 'lrh/loss-' || getvariable('iteration'), $$ SELECT loss FROM lr_residual $$);
INSERT INTO lr_log
    SELECT getvariable('iteration'), NULL, NULL, (epoch_ms(now()) - getvariable('started')) / 1000,
           exchange_bytes() - getvariable('bytes_before');

-- done
SELECT seconds, bytes FROM lr_log WHERE iteration = getvariable('iteration');

-- part finish

-- our shares of the weights, which stay shared; with reveal=own, those of a party's features go to that party
CREATE OR REPLACE TABLE model_share AS
    SELECT party, n - start AS position, w[n] AS share, getvariable('session') AS training
    FROM lr_weights, lr_parties, (SELECT unnest(range(1, getvariable('total') + 1)) AS n) WHERE n > start AND n <= start + width
    ORDER BY n;
CREATE OR REPLACE TABLE training_log AS FROM lr_log ORDER BY iteration;
SET VARIABLE k = 0;

-- part reveal while getvariable('reveal') = 'own' AND getvariable('k') < len(string_split(getvariable('others'), ','))

-- to each other party, our shares of its weights
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE other = string_split(getvariable('others'), ',')[getvariable('k')];
CALL exchange_send(getvariable('other'), 'lrh/weights',
    $$ SELECT position, share FROM model_share WHERE party = getvariable('other') ORDER BY position $$);

-- part model if getvariable('reveal') = 'own'

-- results: our weights, for standardised features and in the columns' own units
CREATE OR REPLACE TEMP TABLE lr_own AS
    SELECT position, share_reveal(own.share, share_sum(theirs.share)) AS weight
    FROM model_share own JOIN exchange_recv_all(getvariable('others'), 'lrh/weights', columns := 'position BIGINT, share UBIGINT') theirs
        USING (position)
    WHERE party = getvariable('me') GROUP BY position, own.share;
SELECT require(count(*) = getvariable('width'), 'the other parties did not send their shares of our weights') FROM lr_own;
CREATE OR REPLACE TABLE model AS
    SELECT feature, weight, mean, deviation, weight_original, getvariable('session') AS training FROM (
        SELECT 0 AS position, '(intercept)' AS feature, 0.0::DOUBLE AS weight, NULL::DOUBLE AS mean,
               NULL::DOUBLE AS deviation,
               -(SELECT sum(w.weight * mean / deviation)
                 FROM lr_own w JOIN lr_statistics s ON w.position = s.feature) AS weight_original
        UNION ALL
        SELECT s.feature, name, weight, mean, deviation, weight / deviation
        FROM lr_own w JOIN lr_statistics s ON w.position = s.feature)
    ORDER BY position;
DROP TABLE model_share;

-- part no-model if getvariable('reveal') = 'none'

-- results: the weights stay shared; mean and deviation are needed for predictions
CREATE OR REPLACE TABLE model AS
    SELECT feature, NULL::DOUBLE AS weight, mean, deviation, NULL::DOUBLE AS weight_original, getvariable('session') AS training
    FROM (SELECT 0 AS position, '(intercept)' AS feature, NULL::DOUBLE AS mean, NULL::DOUBLE AS deviation
          UNION ALL SELECT feature, name, mean, deviation FROM lr_statistics)
    ORDER BY position;

-- part forget-list

-- nobody needs the seeds any more
SET VARIABLE secrets = (SELECT list(name) FROM (SELECT seed AS name FROM lr_seeds UNION ALL SELECT getvariable('part') UNION ALL SELECT getvariable('batch_seed')));
SET VARIABLE k = 0;

-- part forget while getvariable('k') < len(getvariable('secrets'))
SET VARIABLE k = getvariable('k') + 1;
CALL key_forget(getvariable('secrets')[getvariable('k')]);

-- part end

-- summary
SELECT getvariable('rows') AS rows, getvariable('total') - 1 AS features, count(*) AS iterations, round(sum(seconds), 1) AS seconds, sum(bytes)::BIGINT AS bytes
FROM training_log;
