-- the alignments that private matching left, and the column with their ids
SET VARIABLE alignments = CASE WHEN len(getvariable('guest_list')) = 1 THEN [getvariable('alignment')]
    ELSE list_transform(getvariable('guest_list'), lambda name: getvariable('alignment') || '_' || name) END;
SELECT require(bool_and(has_table(found)),
               'private matching has to have left a table for each guest: ' || array_to_string(getvariable('alignments'), ', ')
               || '. With several guests, run each matching with --set result=' || getvariable('alignments')[1] || ' and so on; or name '
               || 'an id column that all tables share with --set id=COLUMN')
FROM (SELECT unnest(getvariable('alignments')) AS found);
SET VARIABLE alignment = getvariable('alignments')[1];

-- with several guests the rows are ours; with one both may lack some
SET VARIABLE lacked_query = (
    SELECT string_agg('SELECT count(*) AS lacked FROM ' || duckpriv_quoted(found || '_unmatched'), ' UNION ALL ')
    FROM (SELECT unnest(getvariable('alignments')) AS found) WHERE len(getvariable('guest_list')) > 1 AND has_table(found || '_unmatched'));
SELECT require(coalesce(sum(lacked), 0) = 0,
               'with several guests you need alignments in which you have all rows, as psi leaves them; or train with one guest')
FROM query(coalesce(getvariable('lacked_query'), 'SELECT 0 AS lacked'));
-- include ../../shared/lacking.sql
