-- Prediction with a model of lr_helper, helper: has no data. The host runs lr_helper/predict_host, guests
-- lr_helper/predict_guest.
--
-- set host = host          the host's name
-- set guests = guest       the guests' names, with commas between, in the same order at all
-- set helper = helper      the helper's name, which is yours
-- set most_rows = 100000000  refuse to deal for more rows
-- set most_features = 10000  refuse to deal for more features of all parties together
-- set most_numbers = 20000000  refuse to deal for larger batches: rows times features of all parties

-- include shared/parties.sql
SELECT require(getvariable('me') = getvariable('helper'),
               'you run as ' || getvariable('me') || ', and the helper is ' || getvariable('helper') || '; name it with --set helper=NAME');

-- include shared/seeds.sql

-- how much there is to do
CREATE OR REPLACE TEMP TABLE lr_plan AS
    FROM exchange_recv(getvariable('host'), 'lrh/plan',
                       columns := 'parties VARCHAR[], asker VARCHAR, kind VARCHAR, rows BIGINT, batches BIGINT');
SELECT require(count(*) = 1 AND bool_and(parties = getvariable('parties') AND list_contains(parties, asker)),
               'the host has other parties than we do'),
       require(bool_and(rows > 0 AND batches BETWEEN 1 AND rows AND kind IN ('logistic', 'identity', 'exp')),
               'the host''s plan makes no sense'),
       require(bool_and(rows <= getvariable('most_rows')::BIGINT),
               'the host plans ' || any_value(rows) || ' rows, and most_rows is ' || getvariable('most_rows')
               || '; to take so many, --set most_rows=NUMBER')
FROM lr_plan;
SET VARIABLE rows = (SELECT rows FROM lr_plan);
SET VARIABLE batches = (SELECT batches FROM lr_plan);
SET VARIABLE kind = (SELECT kind FROM lr_plan);
SET VARIABLE asker = (SELECT asker FROM lr_plan);
-- peers asker = host, guests

SET VARIABLE plan = 'kind=' || getvariable('kind') || ' rows=' || getvariable('rows') || ' batches=' || getvariable('batches')
    || ' asker=' || getvariable('asker');

-- include shared/dealt_widths.sql

CREATE OR REPLACE TEMP TABLE lr_answers (iteration BIGINT, score UBIGINT[]);
SET VARIABLE iteration = 0;

-- part batch while getvariable('iteration') < getvariable('batches')

-- random numbers of this batch, as each party has them, and the correction of the host's
SET VARIABLE iteration = getvariable('iteration') + 1;
SET VARIABLE number = getvariable('iteration') - 1;
SET VARIABLE size = ((getvariable('number') + 1) * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches')
    - (getvariable('number') * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches');
CREATE OR REPLACE TEMP TABLE lr_random AS
    SELECT party, start, width, party = getvariable('host') AS corrected, ring_random(seed, step || '-u', size * width) AS u,
           ring_random(seed, step || '-t', total) AS t, ring_random(seed, step || '-c', size) AS c
    FROM lr_parties, (SELECT 'step-' || getvariable('iteration') AS step, getvariable('size') AS size, getvariable('total') AS total);
CALL exchange_send(getvariable('host'), 'lrh/deal-' || getvariable('iteration'), $$
    SELECT ring_sub(ring_sum(ring_matvec(u, ring_sub(sums.t, r.t)[start + 1 : start + width])), ring_sum(CASE WHEN NOT corrected THEN c END)) AS c
    FROM lr_random r, (SELECT ring_sum(t) AS t FROM lr_random) sums $$);

-- scores: add the shares, apply the activation, for the asker alone
CREATE OR REPLACE TEMP TABLE lr_scores AS
    FROM exchange_recv_all(getvariable('everybody'), 'lrh/score-' || getvariable('iteration'), columns := 'z UBIGINT[]');
SELECT require(count(*) = len(getvariable('parties')) AND bool_and(len(z) = getvariable('size')),
               'a party''s scores are not those of a batch')
FROM lr_scores;
SELECT require(getvariable('kind') = 'identity' OR (list_min(z) > -16000 AND list_max(z) < CASE getvariable('kind') WHEN 'exp' THEN 29 ELSE 16000 END),
               'a score is out of all proportion; are the columns of all parties in the units of the training?')
FROM (SELECT ring_decode(ring_sum(z), scale := 40) AS z FROM lr_scores);
INSERT INTO lr_answers
    SELECT getvariable('iteration'),
           ring_sub(helper_activation(ring_sum(z), kind := getvariable('kind'), with_loss := false).value,
                    ring_random((SELECT seed FROM lr_parties WHERE party = getvariable('asker')),
                                'answer-' || getvariable('iteration'), getvariable('size')))
    FROM lr_scores;

-- part answer
CALL exchange_send(getvariable('asker'), 'lrh/scores', 'FROM lr_answers ORDER BY iteration');

-- include shared/forget.sql

-- summary
SELECT getvariable('rows') AS rows;
