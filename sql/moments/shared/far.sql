-- what multiplies ciphertexts stays below 2^8
SELECT require(count(*) = 0, 'some numbers are more than 255 deviations from the mean: ' || string_agg(DISTINCT name, ', ')
               || '; take the logarithm of such columns, or leave them out with --set columns=…')
FROM (SELECT getvariable('names')[place] AS name, number
      FROM (SELECT generate_subscripts(x, 1) AS place, unnest(x) AS number FROM query_table(getvariable('standardised'))))
WHERE NOT coalesce(abs(number) < 255, false);
