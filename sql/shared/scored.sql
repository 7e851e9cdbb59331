-- what cannot be scored: rows of the table `scored` (x), by the names of the features
SELECT require(count(*) = 0, count(DISTINCT row) || ' rows to score have no number in ' || string_agg(DISTINCT getvariable('features')[feature], ', ')
               || '; fill them in as for the training, or leave such rows out')
FROM (SELECT row, generate_subscripts(x, 1) AS feature, unnest(x) AS number
      FROM (SELECT row_number() OVER () AS row, x FROM query_table(getvariable('scored'))))
WHERE number IS NULL OR NOT isfinite(number);
SELECT require(count(*) = 0, count(DISTINCT row) || ' rows to score are more than a million deviations from the mean of the training in '
               || string_agg(DISTINCT getvariable('features')[feature], ', ') || '; are the columns in the units of the training?')
FROM (SELECT row, generate_subscripts(x, 1) AS feature, unnest(x) AS number
      FROM (SELECT row_number() OVER () AS row, x FROM query_table(getvariable('scored'))))
WHERE NOT coalesce(abs((number - getvariable('means')[feature]) / getvariable('deviations')[feature]) < 1048576, false);
