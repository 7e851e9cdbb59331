-- each common id has its row
SELECT require(count(*) FILTER (place IS NULL) = 0,
               count(*) FILTER (place IS NULL) || ' ids of the alignment are not in the table any more; run private matching again'),
       require(getvariable('duplicates') = 'all' OR count(DISTINCT name) = count(*), 'an id occurs in more than one row; each id needs one row'
               || CASE getvariable('duckpriv_protocol') WHEN 'aggregate/1' THEN ', or set duplicates=first (only the first of them counts) or duplicates=all (each counts)'
                                                        ELSE '' END)
FROM aggregate_rows;
