-- part collapse

-- Before anything is compared or opened: of a place with a bucket of exposure only the sums of what came after that bucket stay, and a group's
-- places are added. From here on there are groups and outcomes, and no days.
CREATE OR REPLACE TEMP TABLE aggregate_parts AS
    SELECT CASE getvariable('exposures') WHEN 'host' THEN cell ELSE other END AS host_place, CASE getvariable('exposures') WHEN 'guest' THEN cell ELSE other END AS guest_place,
           measure, what, wide_sum(share) AS share
    FROM (SELECT 1 + (place - 1) // getvariable('buckets') AS cell, other, CASE WHEN measure = 0 THEN 0 ELSE 1 + (measure - 1) % getvariable('outcome_count') END AS measure, what, share
          FROM (SELECT CASE getvariable('exposures') WHEN 'host' THEN host_place ELSE guest_place END AS place,
                       CASE getvariable('exposures') WHEN 'host' THEN guest_place ELSE host_place END AS other, measure, what, share FROM aggregate_parts)
          WHERE measure = 0 OR (measure - 1) // getvariable('outcome_count') = (place - 1) % getvariable('buckets'))
    GROUP BY cell, other, measure, what;
SET VARIABLE own_places = CASE WHEN getvariable('exposes') THEN getvariable('own_places') // getvariable('buckets') ELSE 1 END;
SET VARIABLE peer_places = CASE WHEN getvariable('exposes') THEN 1 ELSE getvariable('peer_places') // getvariable('buckets') END;
SET VARIABLE host_places = CASE WHEN getvariable('leads') THEN getvariable('own_places') ELSE getvariable('peer_places') END;
SET VARIABLE guest_places = CASE WHEN getvariable('leads') THEN getvariable('peer_places') ELSE getvariable('own_places') END;
SET VARIABLE host_measures = CASE getvariable('exposures') WHEN 'host' THEN 0 ELSE getvariable('outcome_count') END;
SET VARIABLE guest_measures = CASE getvariable('exposures') WHEN 'host' THEN getvariable('outcome_count') ELSE 0 END;
-- the numbers of each outcome are compared with the minimum
SET VARIABLE nullable = list_resize([]::BOOLEAN[], getvariable('outcome_count'), true);
