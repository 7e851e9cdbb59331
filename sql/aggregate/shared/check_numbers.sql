SELECT require(count(*) = 0, 'not every number is one of as few decimals, or so small, as can be summed exactly, in ' || string_agg(DISTINCT name, ', ')
               || '; round such columns, or set decimals')
FROM (SELECT getvariable('own_measures')[generate_subscripts(unfit, 1)] AS name, unnest(unfit) AS bad FROM aggregate_table) WHERE bad;
