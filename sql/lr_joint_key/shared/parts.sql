-- our part of every score, of standardised features: in the columns' own units large numbers would cancel each other
CREATE OR REPLACE TEMP TABLE predict_all AS
    SELECT id, getvariable('intercept') + list_dot_product(
               [0.0::DOUBLE] || list_transform(x, lambda number, i: (number - getvariable('means')[i]) / getvariable('deviations')[i]),
               [0.0::DOUBLE] || getvariable('weights')) AS part
    FROM predict_matrix;
SELECT require(count(*) = 0, count(*) || ' rows to score are out of all proportion in '
               || coalesce(nullif(array_to_string(getvariable('features'), ', '), ''), 'the intercept')
               || '; are the columns in the units of the training?')
FROM predict_all WHERE NOT coalesce(abs(part) < 16000, false);
