-- scores of all parties together are below 2^22, so that 64 bits hold them: ours are below our part of that. Weights that
-- stay shared nobody sees: they are taken to be below 256.
SET VARIABLE own_weights = (SELECT coalesce(list(weight ORDER BY rowid) FILTER (mean IS NOT NULL), []::DOUBLE[]) FROM "${model}");
SET VARIABLE own_intercept = (SELECT CASE WHEN count(weight) < count(*) THEN NULL ELSE coalesce(sum(weight) FILTER (mean IS NULL), 0) END FROM "${model}");
SELECT require(count(*) = 0, count(*) || ' rows to score are out of all proportion in ' || coalesce(nullif(array_to_string(getvariable('features'), ', '), ''), 'the intercept')
               || '; are the columns in the units of the training?')
FROM (SELECT [0.0::DOUBLE] || list_transform(x, lambda number, i: (number - getvariable('means')[i]) / getvariable('deviations')[i]) AS z
      FROM query_table(getvariable('scored')))
WHERE NOT coalesce(CASE WHEN getvariable('own_intercept') IS NULL THEN 256 * list_sum(list_transform(z, lambda number: abs(number)))
                        ELSE abs(getvariable('own_intercept') + list_dot_product(z, [0.0::DOUBLE] || getvariable('own_weights'))) END
                   < 4000000 / len(getvariable('parties')), false);
