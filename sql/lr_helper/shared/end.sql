DROP TABLE "${result}_share";

-- part no-model if getvariable('reveal') = 'none'

-- results: the weights stay shared; mean and deviation are needed for predictions
CREATE OR REPLACE TABLE "${result}" AS
    SELECT feature, NULL::DOUBLE AS weight, mean, deviation, NULL::DOUBLE AS weight_original, getvariable('training') AS training
    FROM (SELECT 0 AS position, '(intercept)' AS feature, NULL::DOUBLE AS mean, NULL::DOUBLE AS deviation
          UNION ALL SELECT feature, name, mean, deviation FROM lr_statistics)
    ORDER BY position;
