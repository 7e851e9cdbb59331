-- how many features each party has, and whether all say the same of what is to be done
SELECT require(count(*) = len(getvariable('parties')) AND count(DISTINCT sender) = count(*) AND min(width) > 0,
               'each party has to say once how many features it has'),
       require(bool_and(plan = getvariable('plan')), 'the host''s plan is ' || getvariable('plan') || ', and a party says '
               || any_value(plan[:500]) FILTER (plan <> getvariable('plan'))),
       require(sum(width) <= getvariable('most_features')::BIGINT,
               'the parties have ' || sum(width) || ' features together, and most_features is '
               || getvariable('most_features') || '; to take so many, --set most_features=NUMBER'),
       require(sum(width) * ceil(getvariable('rows') / getvariable('batches')) <= getvariable('most_numbers')::BIGINT,
               'a batch has ' || (sum(width) * ceil(getvariable('rows') / getvariable('batches')))::HUGEINT || ' numbers, and most_numbers is '
               || getvariable('most_numbers') || '; to deal so many at once, --set most_numbers=NUMBER')
FROM exchange_recv_all(getvariable('everybody'), 'lrh/shape', columns := 'width BIGINT, plan VARCHAR');
CREATE OR REPLACE TEMP TABLE lr_parties AS
    SELECT *, coalesce(sum(width) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS start
    FROM (SELECT sender AS party, list_position(getvariable('parties'), sender) AS position, width, seed
          FROM exchange_recv_all(getvariable('everybody'), 'lrh/shape', columns := 'width BIGINT, plan VARCHAR') s JOIN lr_seeds ON party = sender);
SET VARIABLE total = (SELECT sum(width)::BIGINT FROM lr_parties);
