-- Prediction with a model of lr_helper, guest. The host runs lr_helper/predict_host, the helper
-- lr_helper/predict_helper.
--
-- set table                your table or view with your features of the rows to score
-- set host = host          the host's name
-- set guests = guest       the guests' names, with commas between, in the same order at all
-- set helper = helper      the helper's name
-- set asker = host         who gets the scores: the host or one of the guests
-- set id =                 an id column that all tables share; empty: the alignment of private matching
-- set key =                with the alignment: your column of the ids; empty: the one that holds them all
-- set alignment = alignment  with the alignment: the name of the table that private matching left
-- set model = model        the name of the table with the weights, as the training left it
-- set result = predictions  the name of the table with the scores, in your current schema
-- set unmatched = refuse   rows to score that we have no record of: refuse, or mean to take our mean, by which an
--                          asker that knows its weights can tell them
-- set most_features = 10000  refuse a model with more features of all parties together
--
-- next The scores are in ${result} at ${asker}, who asked. With the labels beside them, auc() and ks() tell how good they are.

-- include shared/parties.sql
SELECT require(list_contains(getvariable('guest_list'), getvariable('me')),
               'you run as ' || getvariable('me') || ', and the guests are ' || getvariable('guests') || '; name them with --set guests=…');

-- include shared/model.sql

SELECT require(getvariable('unmatched') IN ('refuse', 'mean'), 'unmatched is refuse or mean');

-- part alignment if getvariable('id') = ''

-- include ../shared/alignment.sql
-- include ../shared/lacking.sql
-- include shared/no_predictions.sql
-- include ../shared/id_column.sql

-- part rows
CREATE OR REPLACE TEMP TABLE lr_all AS
    FROM matrix_rows(getvariable('table'), getvariable('id_column'), names := getvariable('features'));
SET VARIABLE width = len(getvariable('features'));

-- part rows-by-id if getvariable('id') <> ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT psi_id(id) AS name, id, NULL::UUID AS pid, x FROM lr_all;
CREATE OR REPLACE TEMP TABLE lr_absent (name VARCHAR);

-- part rows-by-alignment if getvariable('id') = ''
CREATE OR REPLACE TEMP TABLE lr_named AS SELECT pid::VARCHAR AS name, id, pid, x FROM "${alignment}" JOIN lr_all USING (id);
CREATE OR REPLACE TEMP TABLE lr_absent AS
    SELECT pid::VARCHAR AS name FROM "${alignment}" ANTI JOIN lr_all USING (id)
    UNION ALL SELECT pid::VARCHAR FROM "${alignment}_unmatched";

-- part checks

-- what the owner of the table allows; a score is of a single row
SET VARIABLE policy = {tbl: getvariable('table'), peers: string_split(getvariable('everybody'), ','),
                       uses: policy_uses(getvariable('features'), 'score') || policy_uses(CASE WHEN getvariable('id') <> '' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

-- what cannot be scored
SELECT require(count(*) > 0, 'there are no rows'),
       require(count(name) = count(*) AND count(DISTINCT name) = count(*), 'an id is missing or occurs more than once; each id needs one row: take a view that has one')
FROM lr_named;
SET VARIABLE scored = 'lr_named';
-- include ../shared/scored.sql
-- include shared/own_scores.sql

-- All names of the alignment, standardised as in the training; our mean, which is 0, for those that we have no record of.
-- This is done before we receive anything, since its time depends on how many records we have, and the host sees when we
-- answer.
CREATE OR REPLACE TEMP TABLE lr_known AS
    SELECT name, id, pid, true AS present,
           ring_encode(list_transform(x, lambda number, i: (number - getvariable('means')[i]) / getvariable('deviations')[i])) AS x
    FROM lr_named
    UNION ALL
    SELECT name, NULL, NULL, false, list_resize([]::UBIGINT[], getvariable('width'), 0::UBIGINT) FROM lr_absent
    ORDER BY name;

-- part seeds

-- include shared/seeds.sql

SET VARIABLE seed = (SELECT seed FROM lr_seeds WHERE party = getvariable('helper'));

-- from the host: what is scored, and the rows by a hash of their names
CREATE OR REPLACE TEMP TABLE lr_start AS
    FROM exchange_recv(getvariable('host'), 'lrh/start',
                       columns := 'settings VARCHAR, name_seed VARCHAR, rows BIGINT, batches BIGINT');
SELECT require(count(*) = 1, 'the host has to send one start message'),
       require(bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the host has ' || left(any_value(settings), 500) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session'),
       require(bool_and(rows > 0 AND batches BETWEEN 1 AND rows AND length(name_seed) <= 100), 'the host''s start message makes no sense')
FROM lr_start;
SET VARIABLE rows = (SELECT rows FROM lr_start);
SET VARIABLE batches = (SELECT batches FROM lr_start);
CREATE OR REPLACE TEMP TABLE lr_spine AS
    FROM exchange_recv(getvariable('host'), 'lrh/spine', columns := 'row BIGINT, name VARCHAR');
SELECT require(is_numbered(row, getvariable('rows')) AND count(DISTINCT name) = count(*),
               'the host''s rows are not numbered one by one, or have one name twice')
FROM lr_spine;

-- all rows by the host's numbers; our mean also for those that the alignment does not have
CREATE OR REPLACE TEMP TABLE lr_rows AS
    SELECT s.row, n.id, n.pid, coalesce(n.present, false) AS present,
           coalesce(n.x, list_resize([]::UBIGINT[], getvariable('width'), 0::UBIGINT)) AS x
    FROM lr_spine s LEFT JOIN (SELECT *, sha256((SELECT name_seed FROM lr_start) || '/' || name) AS hash FROM lr_known) n ON s.name = n.hash;
SELECT require(getvariable('unmatched') = 'mean' OR bool_and(present),
               count(*) - sum(present::BIGINT) || ' of the rows to score are not among ours. A score would tell which to an asker that '
               || 'knows its own part. To take our mean for them: all in a new session, here with --set unmatched=mean')
FROM lr_rows;

SET VARIABLE plan = 'kind=' || getvariable('kind') || ' rows=' || getvariable('rows') || ' batches=' || getvariable('batches')
    || ' asker=' || getvariable('asker');

SET VARIABLE release = {what: 'scores to ' || getvariable('asker') || ', how many features to the others', numbers: getvariable('rows'),
                        alignment: CASE WHEN getvariable('id') = '' THEN getvariable('alignment') END};
-- include ../shared/release.sql

-- include shared/widths.sql

-- our shares of the weights: those of the training, or our own weights as they are
CREATE OR REPLACE TEMP TABLE lr_own AS
    SELECT CASE WHEN count(weight) = count(*) THEN list_concat(list_concat(
                    list_resize([]::UBIGINT[], getvariable('start'), 0::UBIGINT), ring_encode(list(weight ORDER BY rowid) FILTER (mean IS NOT NULL))),
                    list_resize([]::UBIGINT[], getvariable('total') - getvariable('start') - getvariable('width'), 0::UBIGINT)) END AS w
    FROM "${model}";
-- include shared/weights.sql

CREATE OR REPLACE TEMP TABLE lr_answers (iteration BIGINT, z UBIGINT[]);
SET VARIABLE iteration = 0;

-- part batch while getvariable('iteration') < getvariable('batches')

-- include shared/next_rows.sql
CREATE OR REPLACE TEMP TABLE lr_deal AS
    SELECT ring_random(seed, step || '-u', size * width) AS u, ring_random(seed, step || '-t', total) AS t, ring_random(seed, step || '-c', size) AS c
    FROM (SELECT getvariable('seed') AS seed, 'step-' || getvariable('iteration') AS step, getvariable('size') AS size,
                 getvariable('width') AS width, getvariable('total') AS total);

-- include shared/scores.sql

-- include shared/keep_scores.sql

-- part answer

-- results: the scores, if we asked for them
CREATE OR REPLACE TEMP TABLE lr_names AS SELECT row, id, pid FROM lr_rows WHERE present;

-- include shared/answer.sql

-- include shared/forget.sql

-- summary
SELECT getvariable('rows') AS rows, getvariable('asker') AS asker;
