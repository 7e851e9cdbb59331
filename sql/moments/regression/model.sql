-- results: the weights that we see, for standardised columns and in the columns' own units
CREATE OR REPLACE TEMP TABLE regression_own AS
    SELECT place, name, f.mean, deviation, 
               share_reveal(share_mul_public(s.share, 268435456), share_mul_public(theirs.share, 268435456), scale := 48) * getvariable('label').unit
           + CASE WHEN role = 'intercept' AND getvariable('kind') = 'linear' THEN getvariable('label').mean ELSE 0 END AS weight
    FROM "${result}_share" s
    JOIN exchange_recv(getvariable('peer'), 'regression/weights', columns := 'position BIGINT, share UBIGINT') theirs USING (position)
    JOIN regression_features f ON f.place = s.position;
SELECT require((SELECT count(DISTINCT place) = count(*) FROM regression_own)
               AND (SELECT list(place ORDER BY place) FROM regression_own)
                   = (SELECT list(place ORDER BY place) FROM regression_features WHERE seen_by IN (getvariable('me'), 'both')),
               'the peer did not send its shares of the weights that we see');
CREATE OR REPLACE TABLE "${result}" AS
    SELECT feature, weight, mean, deviation, weight_original, getvariable('training') AS training FROM (
        SELECT 1 AS place, '(intercept)' AS feature, coalesce(max(weight) FILTER (place = 1), 0) AS weight, NULL::DOUBLE AS mean, NULL::DOUBLE AS deviation,
               coalesce(max(weight) FILTER (place = 1), 0) - coalesce(sum(weight * mean / deviation), 0) AS weight_original
        FROM regression_own
        UNION ALL
        SELECT place, name, weight, mean, deviation, weight / deviation FROM regression_own WHERE place > 1)
    ORDER BY place;
DROP TABLE "${result}_share";
