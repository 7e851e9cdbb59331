-- Prediction with a model of lr_helper, host: the rows of its table are scored. Guests run
-- lr_helper/predict_guest, the helper lr_helper/predict_helper.
--
-- set table                your table or view with the rows to score
-- set host = host          the host's name, which is yours
-- set guests = guest       the guests' names, with commas between, in the same order at all
-- set helper = helper      the helper's name
-- set asker = host         who gets the scores: the host or one of the guests
-- set id =                 an id column that all tables share; empty: the alignments of private matching
-- set key =                with the alignments: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignments: the name of the table that private matching left; with several
--                          guests, of one for each guest: this name, _ and the guest's
-- set model = model        the name of the table with the weights, as the training left it
-- set result = predictions  the name of the table with the scores, in your current schema
-- set batch = 10000        how many rows at most at a time
-- set most_features = 10000  refuse a model with more features of all parties together
--
-- next The scores are in ${result} at ${asker}, who asked. With the labels beside them, auc() and ks() tell how good they are.

-- include shared/parties.sql
SELECT require(getvariable('me') = getvariable('host'),
               'you run as ' || getvariable('me') || ', and the host is ' || getvariable('host') || '; name it with --set host=NAME');

SELECT require(duckpriv_is_integer(getvariable('batch')), 'batch has to be a whole number below 2^31');
SELECT require(getvariable('batch')::INTEGER > 0, 'batch has to be more than 0');

-- include shared/model.sql

-- part alignment if getvariable('id') = ''

-- include shared/alignments.sql
-- include shared/no_predictions.sql
-- include ../shared/id_column.sql

-- part rows

-- the rows in random order, standardised as in the training, with a column of ones for the intercept
CREATE OR REPLACE TEMP TABLE lr_named AS
    SELECT id, random_id(row) AS draw, x FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := getvariable('features'));

-- what the owner of the table allows; a score is of a single row
SET VARIABLE policy = {tbl: getvariable('table'), peers: string_split(getvariable('everybody'), ','),
                       uses: policy_uses(getvariable('features'), 'score') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- what cannot be scored
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(id) = count(*) AND count(DISTINCT id) = count(*), 'an id is missing or occurs more than once; each id needs one row: take a view that has one')
FROM lr_named;
SET VARIABLE scored = 'lr_named';
-- include ../shared/scored.sql
-- include shared/own_scores.sql
CREATE OR REPLACE TEMP TABLE lr_matrix AS SELECT row_number() OVER (ORDER BY draw) AS row, id, x FROM lr_named;
CREATE OR REPLACE TEMP TABLE lr_rows AS
    SELECT row, id, ring_encode([1.0::DOUBLE] || list_transform(x, lambda number, i:
               (number - getvariable('means')[i]) / getvariable('deviations')[i])) AS x
    FROM lr_matrix;
SET VARIABLE rows = (SELECT count(*) FROM lr_rows);
SET VARIABLE batches = ceil(getvariable('rows') / getvariable('batch')::INTEGER)::BIGINT;
SET VARIABLE width = len(getvariable('features')) + 1;
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
    FROM lr_matrix JOIN query_table(getvariable('alignment')) USING (id);

-- part seeds

-- include shared/seeds.sql

SET VARIABLE seed = (SELECT seed FROM lr_seeds WHERE party = getvariable('helper'));
SET VARIABLE k = 0;

SET VARIABLE release = {what: 'scores to ' || getvariable('asker') || ', which rows are scored to the guests', numbers: getvariable('rows'),
                        alignment: CASE WHEN getvariable('id') = '' THEN array_to_string(getvariable('alignments'), ', ') END};
-- include ../shared/release.sql

-- part spine while getvariable('k') < len(getvariable('guest_list'))

-- to each guest: what is scored, and the rows by a hash of their names
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE guest = getvariable('guest_list')[getvariable('k')];
CALL exchange_send(getvariable('guest'), 'lrh/start', $$
    SELECT getvariable('settings') AS settings, getvariable('name_seed') AS name_seed, getvariable('rows') AS rows,
           getvariable('batches') AS batches $$);
CALL exchange_send(getvariable('guest'), 'lrh/spine', $$
    SELECT row, sha256(getvariable('name_seed') || '/' || name) AS name FROM lr_spine
    WHERE guest = getvariable('guest') ORDER BY row $$);

-- part plan

-- to the helper: how much there is to do
CALL exchange_send(getvariable('helper'), 'lrh/plan', $$
    SELECT getvariable('parties') AS parties, getvariable('asker') AS asker, getvariable('kind') AS kind,
           getvariable('rows') AS rows, getvariable('batches') AS batches $$);

SET VARIABLE plan = 'kind=' || getvariable('kind') || ' rows=' || getvariable('rows') || ' batches=' || getvariable('batches')
    || ' asker=' || getvariable('asker');
-- include shared/widths.sql

-- our shares of the weights: those of the training, or our own weights as they are
CREATE OR REPLACE TEMP TABLE lr_own AS
    SELECT CASE WHEN count(weight) = count(*) THEN list_concat(list_concat(
                    list_resize([]::UBIGINT[], getvariable('start'), 0::UBIGINT), ring_encode(list(weight ORDER BY rowid))),
                    list_resize([]::UBIGINT[], getvariable('total') - getvariable('start') - getvariable('width'), 0::UBIGINT)) END AS w
    FROM "${model}";
-- include shared/weights.sql

CREATE OR REPLACE TEMP TABLE lr_answers (iteration BIGINT, z UBIGINT[]);
SET VARIABLE together = greatest(1, 2000000 // ceil(getvariable('rows') / getvariable('batches'))::BIGINT);
SET VARIABLE iteration = 0;

-- part batch while getvariable('iteration') < getvariable('batches')

-- include shared/next_rows.sql
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(seed, step || '-u', size * width) AS u, ring_random(seed, step || '-t', total) AS t, c
    FROM (SELECT getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step, getvariable('size') AS size,
                 getvariable('width') AS width, getvariable('total') AS total),
         exchange_recv(getvariable('helper'), 'lrh/ahead-' || (getvariable('iteration') - 1) // getvariable('together'),
                       columns := 'iteration BIGINT, c UBIGINT[]')
    WHERE iteration = getvariable('iteration');
SELECT require(count(*) = 1, 'the helper has to deal once for each batch') FROM lr_deal;

-- include shared/scores.sql

-- include shared/keep_scores.sql

-- part answer

-- results: the scores, if we asked for them
CREATE OR REPLACE TEMP TABLE lr_names AS 
    SELECT r.row, id, (SELECT any_value(TRY_CAST(name AS UUID)) FROM lr_spine s
                       WHERE s.row = r.row AND guest = getvariable('guest_list')[1] AND getvariable('id') = '') AS pid
    FROM lr_rows r;

-- include shared/answer.sql

-- include shared/forget.sql

-- summary
SELECT getvariable('rows') AS rows, getvariable('asker') AS asker;
