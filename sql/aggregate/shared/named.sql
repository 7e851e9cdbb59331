-- Our rows, and those that we lack, which have a place of their own, and numbers of other rows, of as many as an id has: so nothing that follows takes
-- another time for another number of common rows.
CREATE OR REPLACE TEMP TABLE aggregate_named AS
    WITH here AS (SELECT pid::VARCHAR AS name, place, x, dense_rank() OVER (ORDER BY pid) AS nth FROM "${alignment}" LEFT JOIN aggregate_placed USING (id)
                  QUALIFY getvariable('duplicates') <> 'first' OR row_number() OVER (PARTITION BY pid ORDER BY aggregate_placed.nth) = 1)
    SELECT name, place, x FROM here
    UNION ALL
    SELECT lacked, getvariable('own_places') + 1, x
    FROM (SELECT name AS lacked, 1 + (row_number() OVER () - 1) % (SELECT max(nth) FROM here) AS nth FROM rows_lacking) JOIN here USING (nth);
DROP TABLE aggregate_placed;
