-- results: none that we see; mean and deviation are needed for predictions
CREATE OR REPLACE TABLE "${result}" AS
    SELECT name AS feature, NULL::DOUBLE AS weight, mean, deviation, NULL::DOUBLE AS weight_original, getvariable('training') AS training
    FROM regression_features WHERE party = getvariable('me') ORDER BY place;
