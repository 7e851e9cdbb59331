-- each common id has its row
SELECT require(count(*) FILTER (place IS NULL) = 0,
               count(*) FILTER (place IS NULL) || ' ids of the alignment are not in the table any more; run private matching again'),
       require(count(DISTINCT name) = count(*), 'an id occurs more than once; each id needs one row')
FROM aggregate_rows;
