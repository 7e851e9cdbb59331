-- the rows to score, standardised as in the training; sums of their numbers stay below 2^15
CREATE OR REPLACE TEMP TABLE predict_all AS
    SELECT id, getvariable('intercept') || list_transform(x, lambda number, i: (number - getvariable('means')[i]) / getvariable('deviations')[i]) AS x
    FROM predict_matrix;
SELECT require(count(*) = 0, count(*) || ' rows to score are more than 32,767 deviations from the mean of the training, all columns together: '
               || array_to_string(getvariable('features'), ', ') || '; are the columns in the units of the training?')
FROM predict_all WHERE NOT coalesce(list_sum(list_transform(x, lambda v: abs(v))) < 32767, false);
