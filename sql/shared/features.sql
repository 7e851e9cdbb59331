SELECT require(count(*) = 0, 'not every row has a number in ' || string_agg(DISTINCT getvariable('features')[feature], ', ')
               || '; fill them in, or leave the columns out with --set columns=…')
FROM (SELECT generate_subscripts(x, 1) AS feature, unnest(x) AS number FROM lr_named)
WHERE number IS NULL OR NOT isfinite(number);
CREATE OR REPLACE TEMP TABLE lr_statistics AS
    SELECT getvariable('features')[feature] AS name, feature, mean, deviation FROM feature_statistics('lr_named');
SELECT require(count(*) = 0, 'the numbers are too large, or too close to each other, for a standard deviation: ' || string_agg(name, ', ')
               || '; scale such columns, take their logarithm, or leave them out with --set columns=…')
FROM lr_statistics WHERE NOT isfinite(mean) OR NOT isfinite(deviation);
SELECT require(count(*) = 0, 'the same number in every row: ' || string_agg(name, ', ')
               || '; leave such columns out with --set columns=…')
FROM lr_statistics WHERE deviation = 0;
