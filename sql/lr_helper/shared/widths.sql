-- how many features each party has, and what is to be done: all have to say the same of that, also to the helper
CALL exchange_send(getvariable('everybody'), 'lrh/shape', $$ SELECT getvariable('width')::BIGINT AS width, getvariable('plan') AS plan $$);
SELECT require(count(*) = len(getvariable('parties')) - 1 AND count(DISTINCT sender) = count(*) AND min(width) > 0,
               'each party has to say once how many features it has'),
       require(bool_and(plan = getvariable('plan')), 'the parties do not agree on what is to be done: ' || getvariable('plan')
               || ' here, and ' || any_value(plan[:500]) FILTER (plan <> getvariable('plan')) || ' elsewhere'),
       require(sum(width) + getvariable('width') <= getvariable('most_features')::BIGINT,
               'the parties have ' || sum(width) + getvariable('width') || ' features together, and most_features is '
               || getvariable('most_features') || '; to take so many, --set most_features=NUMBER')
FROM exchange_recv_all(getvariable('others'), 'lrh/shape', columns := 'width BIGINT, plan VARCHAR');
CREATE OR REPLACE TEMP TABLE lr_parties AS
    SELECT *, coalesce(sum(width) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS start
    FROM (SELECT party, list_position(getvariable('parties'), party) AS position, width
          FROM (SELECT getvariable('me') AS party, getvariable('width')::BIGINT AS width
                UNION ALL SELECT sender, width FROM exchange_recv_all(getvariable('others'), 'lrh/shape', columns := 'width BIGINT, plan VARCHAR')));
SET VARIABLE total = (SELECT sum(width)::BIGINT FROM lr_parties);
SET VARIABLE start = (SELECT start FROM lr_parties WHERE party = getvariable('me'));
