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
-- set kind = logistic      the kind of model, as in the training
-- set batch = 10000        how many rows at most at a time

-- the parties
SET VARIABLE duckpriv_protocol = 'lr_helper/1';
SET VARIABLE duckpriv_parameters = '';
SET VARIABLE guest_list = list_transform(string_split(getvariable('guests'), ','), lambda name: trim(name));
SET VARIABLE parties = list_prepend(getvariable('host'), getvariable('guest_list'));
SELECT require(len(list_distinct(list_append(getvariable('parties'), getvariable('helper')))) = len(getvariable('parties')) + 1,
               'host, guests and helper have to be different parties'),
       require(getvariable('me') = getvariable('host'),
               'you run as ' || getvariable('me') || ', and the host is ' || getvariable('host') || '; name it with --set host=NAME');
SET VARIABLE others = array_to_string(getvariable('guest_list'), ',');
SET VARIABLE everybody = getvariable('others') || ',' || getvariable('helper');

-- settings
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END
    || ' parties=' || array_to_string(getvariable('parties'), ',') || ' asker=' || getvariable('asker')
    || ' kind=' || getvariable('kind') || ' training=' || (SELECT any_value(training) FROM model);
SELECT require(getvariable('kind') IN ('logistic', 'identity', 'exp'), 'kind is logistic, identity or exp'),
       require(list_contains(getvariable('parties'), getvariable('asker')), 'asker is the host or a guest'),
       require_result('predictions', ['id', 'pid', 'score']);
SELECT require(count(DISTINCT training) = 1, 'the table model is not of one training') FROM model;
SET VARIABLE id_column = getvariable('id');
SET VARIABLE features = (SELECT coalesce(list(feature), []::VARCHAR[]) FROM (FROM model WHERE mean IS NOT NULL ORDER BY rowid));
SET VARIABLE means = (SELECT coalesce(list(mean), []::DOUBLE[]) FROM (FROM model WHERE mean IS NOT NULL ORDER BY rowid));
SET VARIABLE deviations = (SELECT coalesce(list(deviation), []::DOUBLE[]) FROM (FROM model WHERE mean IS NOT NULL ORDER BY rowid));

-- part alignment if getvariable('id') = ''

-- the alignments that private matching left, and the column with their ids
SET VARIABLE alignments = CASE WHEN len(getvariable('guest_list')) = 1 THEN ['alignment']
    ELSE list_transform(getvariable('guest_list'), lambda name: 'alignment_' || name) END;
SELECT require(count(*) = len(getvariable('alignments')),
               'private matching has to have left a table for each guest: ' || array_to_string(getvariable('alignments'), ', ')
               || '. With several guests, rename alignment after each matching; or name an id column that all tables share '
               || 'with --set id=COLUMN')
FROM duckdb_tables()
WHERE list_contains(getvariable('alignments'), table_name) AND database_name = current_database()
  AND schema_name = current_schema();
SET VARIABLE alignment = getvariable('alignments')[1];
SET VARIABLE key_query = (SELECT duckpriv_alignment_key_query(getvariable('table'), list(column_name), ids := getvariable('alignment'))
                          FROM (DESCRIBE FROM query_table(getvariable('table'))));
SET VARIABLE id_column = CASE WHEN getvariable('key') <> '' THEN getvariable('key')
    ELSE (SELECT CASE WHEN count(*) = 1 THEN any_value(column_name) END FROM query(getvariable('key_query'))) END;
SELECT require(getvariable('id_column') IS NOT NULL,
               'no column of the table, or more than one, holds every id of the alignment; name it with --set key=COLUMN');

-- part rows

-- the rows in random order, standardised as in the training, with a column of ones for the intercept
CREATE OR REPLACE TEMP TABLE lr_named AS
    SELECT id, random_id(row) AS draw, x FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := getvariable('features'));

-- what cannot be scored
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(id) = count(*) AND count(DISTINCT id) = count(*), 'an id is missing or occurs more than once'),
       require(coalesce(bool_and(len(list_filter(x, lambda number: coalesce(NOT isfinite(number), true))) = 0), true),
               'not every row has a number in every feature')
FROM lr_named;
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

-- a seed with each party: our part, and a commitment to it
SET VARIABLE part = 'lrp-' || getvariable('session') || '-' || getvariable('me');
CALL seed_keygen(getvariable('part'));
CALL exchange_send(getvariable('everybody'), 'lrp/commitment', $$ SELECT seed_commitment(getvariable('part')) AS commitment $$);

-- our part, once all have committed themselves
CREATE OR REPLACE TEMP TABLE lr_commitments AS
    FROM exchange_recv_all(getvariable('everybody'), 'lrp/commitment', columns := 'commitment BLOB');
SELECT require(count(*) = len(getvariable('parties')) AND count(DISTINCT sender) = count(*), 'each party has to send one commitment')
FROM lr_commitments;
CALL exchange_send(getvariable('everybody'), 'lrp/part', $$ SELECT seed_part(getvariable('part')) AS part $$);

-- the seeds
CREATE OR REPLACE TEMP TABLE lr_seeds AS
    SELECT sender AS party, agreed_seed('lrp-' || getvariable('session') || '-with-' || sender, getvariable('part'),
                                        'lrp-' || getvariable('session') || '-' || sender, commitment, p.part) AS seed
    FROM exchange_recv_all(getvariable('everybody'), 'lrp/part', columns := 'part BLOB') p JOIN lr_commitments USING (sender);
SELECT require(count(*) = len(getvariable('parties')), 'each party has to send one part of a seed') FROM lr_seeds;
SET VARIABLE seed = (SELECT seed FROM lr_seeds WHERE party = getvariable('helper'));
SET VARIABLE k = 0;

-- part spine while getvariable('k') < len(getvariable('guest_list'))

-- to each guest: what is scored, and the rows by a hash of their names
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE guest = getvariable('guest_list')[getvariable('k')];
CALL exchange_send(getvariable('guest'), 'lrp/start', $$
    SELECT getvariable('settings') AS settings, getvariable('name_seed') AS name_seed, getvariable('rows') AS rows,
           getvariable('batches') AS batches $$);
CALL exchange_send(getvariable('guest'), 'lrp/spine', $$
    SELECT row, sha256(getvariable('name_seed') || '/' || name) AS name FROM lr_spine
    WHERE guest = getvariable('guest') ORDER BY row $$);

-- part plan

-- to the helper: how much there is to do
CALL exchange_send(getvariable('helper'), 'lrp/plan', $$
    SELECT getvariable('parties') AS parties, getvariable('asker') AS asker, getvariable('kind') AS kind,
           getvariable('rows') AS rows, getvariable('batches') AS batches $$);

-- how many features each party has
CALL exchange_send(getvariable('everybody'), 'lrp/shape', $$ SELECT getvariable('width')::BIGINT AS width $$);
CREATE OR REPLACE TEMP TABLE lr_parties AS
    SELECT *, coalesce(sum(width) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS start
    FROM (SELECT party, list_position(getvariable('parties'), party) AS position, width
          FROM (SELECT getvariable('me') AS party, getvariable('width')::BIGINT AS width
                UNION ALL SELECT sender, width FROM exchange_recv_all(getvariable('others'), 'lrp/shape', columns := 'width BIGINT')));
SELECT require(count(*) = len(getvariable('parties')) AND min(width) > 0, 'each party has to say once how many features it has')
FROM lr_parties;
SET VARIABLE total = (SELECT sum(width)::BIGINT FROM lr_parties);
SET VARIABLE start = (SELECT start FROM lr_parties WHERE party = getvariable('me'));

-- our shares of the weights: those of the training, or our own weights as they are
CREATE OR REPLACE TEMP TABLE lr_own AS
    SELECT CASE WHEN count(weight) = count(*) THEN list_concat(list_concat(
                    list_resize([]::UBIGINT[], getvariable('start'), 0::UBIGINT), ring_encode(list(weight ORDER BY rowid))),
                    list_resize([]::UBIGINT[], getvariable('total') - getvariable('start') - getvariable('width'), 0::UBIGINT)) END AS w
    FROM model;
CREATE OR REPLACE TEMP TABLE lr_shared (party VARCHAR, position BIGINT, share UBIGINT);
SET VARIABLE shared_query = (
    SELECT CASE WHEN count(*) = 1 THEN 'SELECT party, position, share FROM model_share WHERE training = (SELECT any_value(training) FROM model)'
                ELSE 'SELECT NULL::VARCHAR, NULL::BIGINT, NULL::UBIGINT WHERE false' END
    FROM duckdb_tables() WHERE table_name = 'model_share' AND database_name = current_database() AND schema_name = current_schema());
INSERT INTO lr_shared FROM query(getvariable('shared_query'));
CREATE OR REPLACE TEMP TABLE lr_weights AS
    SELECT CASE WHEN w IS NOT NULL THEN w ELSE (SELECT list(share ORDER BY p.start, s.position) FROM lr_shared s JOIN lr_parties p USING (party)) END AS w
    FROM lr_own;
SELECT require(coalesce(len(w), 0) = getvariable('total'), 'the model''s weights do not fit to the features of the parties') FROM lr_weights;
CREATE OR REPLACE TEMP TABLE lr_scored (row BIGINT, score DOUBLE);
SET VARIABLE iteration = 0;

-- part batch while getvariable('iteration') < getvariable('batches')

-- the next rows
SET VARIABLE iteration = getvariable('iteration') + 1;
CREATE OR REPLACE TEMP TABLE lr_batch AS
    SELECT flatten(list(x ORDER BY row)) AS x, count(*) AS size FROM lr_rows
    WHERE (row - 1) * getvariable('batches') // getvariable('rows') = getvariable('iteration') - 1;
SET VARIABLE size = (SELECT size FROM lr_batch);
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(seed, step || '-u', size * width) AS u, ring_random(seed, step || '-t', total) AS t, c
    FROM (SELECT getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step, getvariable('size') AS size,
                 getvariable('width') AS width, getvariable('total') AS total),
         exchange_recv(getvariable('helper'), 'lrp/deal-' || getvariable('iteration'), columns := 'c UBIGINT[]');

-- scores: features and weights, masked, to the other parties
CALL exchange_send(getvariable('others'), 'lrp/open-x-' || getvariable('iteration'),
    $$ SELECT ring_sub(x, u) AS e, ring_sub(w, t) AS f FROM lr_batch, lr_deal, lr_weights $$);
CREATE OR REPLACE TEMP TABLE lr_open AS
    SELECT sender, position, e, f, start, width
    FROM exchange_recv_all(getvariable('others'), 'lrp/open-x-' || getvariable('iteration'), columns := 'e UBIGINT[], f UBIGINT[]')
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
CALL exchange_send(getvariable('helper'), 'lrp/score-' || getvariable('iteration'), $$ SELECT z FROM lr_score $$);

-- part answer

-- results: the scores, if we asked for them
CREATE OR REPLACE TEMP TABLE lr_names AS 
    SELECT r.row, id, (SELECT any_value(TRY_CAST(name AS UUID)) FROM lr_spine s
                       WHERE s.row = r.row AND guest = getvariable('guest_list')[1] AND getvariable('id') = '') AS pid
    FROM lr_rows r;

-- part scores if getvariable('asker') = getvariable('me')
CREATE OR REPLACE TEMP TABLE lr_answers AS FROM exchange_recv(getvariable('helper'), 'lrp/scores', columns := 'iteration BIGINT, score UBIGINT[]');
SELECT require(list(iteration ORDER BY iteration) = range(1, getvariable('batches') + 1), 'the helper did not answer each batch once') FROM lr_answers;
CREATE OR REPLACE TABLE predictions AS
    SELECT id, pid, score
    FROM (SELECT row_number() OVER (ORDER BY iteration, i) AS row, score
          FROM (SELECT iteration, generate_subscripts(scores, 1) AS i, unnest(scores) AS score
                FROM (SELECT iteration, ring_decode(ring_add(score, ring_random(getvariable('seed'), 'answer-' || iteration, len(score)))) AS scores
                      FROM lr_answers)))
    JOIN lr_names USING (row) ORDER BY id;

-- part forget-list

-- nobody needs the seeds any more
SET VARIABLE secrets = (SELECT list(name) FROM (SELECT seed AS name FROM lr_seeds UNION ALL SELECT getvariable('part')));
SET VARIABLE k = 0;

-- part forget while getvariable('k') < len(getvariable('secrets'))
SET VARIABLE k = getvariable('k') + 1;
CALL key_forget(getvariable('secrets')[getvariable('k')]);

-- part end

-- summary
SELECT getvariable('rows') AS rows, getvariable('asker') AS asker;
