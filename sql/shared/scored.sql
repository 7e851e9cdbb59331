-- what cannot be scored: rows of the table `scored` (x), by the names of the features
SELECT require(count(*) FILTER (lacks) = 0, count(DISTINCT row) FILTER (lacks) || ' rows to score have no number in '
               || string_agg(DISTINCT name, ', ') FILTER (lacks) || '; fill them in as for the training, or leave such rows out'),
       require(count(*) FILTER (far) = 0, count(DISTINCT row) FILTER (far)
               || ' rows to score are more than a million deviations from the mean of the training in '
               || string_agg(DISTINCT name, ', ') FILTER (far) || '; are the columns in the units of the training?')
FROM (SELECT row, getvariable('features')[feature] AS name, NOT coalesce(isfinite(number), false) AS lacks,
             NOT lacks AND NOT coalesce(abs((number - getvariable('means')[feature]) / getvariable('deviations')[feature]) < 1048576, false) AS far
      FROM (SELECT row, generate_subscripts(x, 1) AS feature, unnest(x) AS number
            FROM (SELECT row_number() OVER () AS row, x FROM query_table(getvariable('scored')))));
