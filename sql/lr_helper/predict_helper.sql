-- Prediction with a model of lr_helper, helper: has no data and sees none. It may end before the others begin to score. The host runs lr_helper/predict_host, guests
-- lr_helper/predict_guest.
--
-- set host = host          the host's name
-- set guests = guest       the guests' names, with commas between, in the same order at all
-- set helper = helper      the helper's name, which is yours
-- set most_rows = 100000000  refuse to deal for more rows
-- set most_features = 10000  refuse to deal for more features of all parties together
-- set most_numbers = 20000000  refuse to deal for larger batches: rows times features of all parties
--
-- next Nothing is left to do here: the party that asked has the scores.

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

SET VARIABLE together = greatest(1, 2000000 // ceil(getvariable('rows') / getvariable('batches'))::BIGINT);
SET VARIABLE message = -1;

-- part deal while (getvariable('message') + 1) * getvariable('together') < getvariable('batches')

-- the host's share of the products of all parties' random numbers: what makes the sum right
SET VARIABLE message = getvariable('message') + 1;
CALL exchange_send(getvariable('host'), 'lrh/ahead-' || getvariable('message'), $$
    WITH random AS MATERIALIZED (
        SELECT iteration, start, width, ring_random(seed, 'step-' || iteration || '-u', size * width) AS u,
               ring_random(seed, 'step-' || iteration || '-t', getvariable('total')) AS t,
               CASE WHEN party <> getvariable('host') THEN ring_random(seed, 'step-' || iteration || '-c', size) END AS c
        FROM (SELECT iteration, (iteration * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches')
                                - ((iteration - 1) * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches') AS size
              FROM range(getvariable('message') * getvariable('together') + 1,
                         least((getvariable('message') + 1) * getvariable('together'), getvariable('batches')) + 1) t(iteration)),
             lr_parties)
    SELECT iteration, ring_sub(ring_sum(ring_matvec(u, ring_sub(sums.t, random.t)[start + 1 : start + width])), ring_sum(c)) AS c
    FROM random JOIN (SELECT iteration, ring_sum(t) AS t FROM random GROUP BY iteration) sums USING (iteration)
    GROUP BY iteration ORDER BY iteration $$);

-- include shared/forget.sql

-- summary
SELECT getvariable('rows') AS rows;
