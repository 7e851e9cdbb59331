-- Regression with a helper, helper: has no data. It deals random numbers, and computes the non-linear part on
-- scores of rows that it cannot tell. sql/lr_helper/README.md says what each message reveals.
--
-- set host = host          the host's name
-- set guests = guest       the guests' names, with commas between, in the same order at all
-- set helper = helper      the helper's name, which is yours
-- set activation = blind   deal random numbers (blind), or also see every score, without its row (open): as the others have it
-- set most_rows = 10000000  refuse to deal for more rows: a number for each and each party has to fit into memory
-- set most_features = 10000  refuse to deal for more features of all parties together
-- set most_numbers = 20000000  refuse to deal for larger batches: rows times features of all parties
-- set most_iterations = 100000  refuse to deal for more steps
--
-- next Nothing is left to do here. For predictions, run lr_helper/predict_helper, in a new session.

-- include shared/parties.sql
SELECT require(getvariable('me') = getvariable('helper'),
               'you run as ' || getvariable('me') || ', and the helper is ' || getvariable('helper') || '; name it with --set helper=NAME');

-- include shared/seeds.sql

-- how much there is to do
CREATE OR REPLACE TEMP TABLE lr_plan AS
    FROM exchange_recv(getvariable('host'), 'lrh/plan',
                       columns := 'parties VARCHAR[], activation VARCHAR, kind VARCHAR, with_loss BOOLEAN, rows BIGINT, batches BIGINT, iterations BIGINT, most DOUBLE, score_range BIGINT, bits BIGINT, label_scale BIGINT, both_lack BOOLEAN');
SELECT require(count(*) = 1 AND bool_and(parties = getvariable('parties')), 'the host has other parties than we do'),
       require(bool_and(activation = getvariable('activation')), 'the host plans activation=' || any_value(left(activation, 20)) || ', and we have '
               || getvariable('activation') || '; agree on one and start a new session'),
       require(bool_and(rows > 0 AND batches BETWEEN 1 AND rows AND iterations > 0 AND kind IN ('logistic', 'identity', 'exp')
                        AND most > 0 AND (activation = 'blind' OR most <= 1024) AND (activation = 'open' OR bits BETWEEN 1 AND 62)
                        AND NOT (both_lack AND (activation = 'open' OR len(parties) > 2))),
               'the host''s plan makes no sense'),
       require(bool_and(rows <= getvariable('most_rows')::BIGINT),
               'the host plans ' || any_value(rows) || ' rows, and most_rows is ' || getvariable('most_rows')
               || '; to take so many, --set most_rows=NUMBER'),
       require(bool_and(iterations <= getvariable('most_iterations')::BIGINT),
               'the host plans ' || any_value(iterations) || ' steps, and most_iterations is ' || getvariable('most_iterations')
               || '; to take so many, --set most_iterations=NUMBER')
FROM lr_plan;
SET VARIABLE kind = (SELECT kind FROM lr_plan);
SET VARIABLE with_loss = (SELECT with_loss FROM lr_plan);
SET VARIABLE rows = (SELECT rows FROM lr_plan);
SET VARIABLE batches = (SELECT batches FROM lr_plan);
SET VARIABLE iterations = (SELECT iterations FROM lr_plan);
SET VARIABLE most = (SELECT most FROM lr_plan);
SET VARIABLE score_range = (SELECT score_range FROM lr_plan);
SET VARIABLE bits = (SELECT bits FROM lr_plan);
SET VARIABLE label_scale = (SELECT label_scale FROM lr_plan);
SET VARIABLE both_lack = (SELECT both_lack FROM lr_plan);
-- include shared/plan.sql

-- include shared/dealt_widths.sql

SET VARIABLE stage = 0;

-- part masks while getvariable('stage') < getvariable('stages')

-- products over all rows: the correction of the shares that the seeds give
SET VARIABLE stage = getvariable('stage') + 1;
CALL exchange_send(getvariable('host'), 'lrh/deal-all-' || getvariable('stage'), $$
    SELECT ring_sub(ring_mul(ring_sum(ring_random(seed, 'all-' || getvariable('stage') || '-a', getvariable('rows'))),
                             ring_sum(ring_random(seed, 'all-' || getvariable('stage') || '-b', getvariable('rows')))),
                    ring_sum(CASE WHEN party <> getvariable('host')
                                  THEN ring_random(seed, 'all-' || getvariable('stage') || '-ab', getvariable('rows')) END)) AS ab
    FROM lr_parties $$);

-- part deal-widths if getvariable('activation') = 'blind'

-- include blind/helper_deal.sql

-- part start
SET VARIABLE iteration = 0;

-- part iteration while getvariable('activation') = 'open' AND getvariable('iteration') < getvariable('iterations')

-- include open/helper.sql

-- include shared/forget.sql

-- summary
SELECT getvariable('iterations') AS iterations;
