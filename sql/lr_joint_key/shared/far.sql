-- a gradient takes features below 2^11: in fewer than 2^22 rows each is less than 2^11 deviations from the mean
SELECT require(count(*) = 0, 'some numbers are more than 2047 deviations from the mean: ' || string_agg(DISTINCT getvariable('features')[feature], ', ')
               || '; take the logarithm of such columns, or leave them out with --set columns=…')
FROM (SELECT generate_subscripts(x, 1) - len(x) + len(getvariable('features')) AS feature, unnest(x) AS number FROM query_table(getvariable('standardised')))
WHERE NOT coalesce(abs(number) < 2047, false);
