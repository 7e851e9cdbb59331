-- results: none that we see. Predictions need mean and deviation of our columns, and for the intercept those of the label.
CREATE OR REPLACE TABLE "${result}" AS
    SELECT name AS feature, NULL::DOUBLE AS weight,
           CASE WHEN role <> 'intercept' THEN mean WHEN getvariable('kind') = 'linear' THEN getvariable('label').mean END AS mean,
           CASE WHEN role <> 'intercept' THEN deviation WHEN getvariable('kind') = 'linear' THEN getvariable('label').unit END AS deviation,
           NULL::DOUBLE AS weight_original, getvariable('training') AS training
    FROM regression_features WHERE party = getvariable('me') ORDER BY place;
