-- what rows of ours with the same id do
SELECT require(getvariable('duplicates') IN ('refuse', 'first', 'all'), 'duplicates is refuse, first or all'),
       require(getvariable('duplicates') <> 'all' OR getvariable('eps') = 0,
               'noise hides one row for each id: with epsilon, duplicates is refuse or first');
SET VARIABLE own_many = getvariable('duplicates') = 'all';
-- whether there may be several for one id; it says nothing of the data
CALL exchange_send(getvariable('peer'), 'aggregate/repeats', $$ SELECT getvariable('own_many') AS many $$);
CREATE OR REPLACE TEMP TABLE aggregate_repeats AS FROM exchange_recv(getvariable('peer'), 'aggregate/repeats', columns := 'many BOOLEAN');
SELECT require(count(*) = 1, 'the peer has to say once whether ids repeat'),
       require(NOT (getvariable('own_many') AND bool_or(many)), 'both parties run with duplicates=all, and only one of them can have several rows for an id; '
               || 'one sets duplicates=refuse or first, or takes a view with one row for each id'),
       -- groups of who has several rows overlap: it may know what they add up to from how many ids are common, and so what is hidden
       require(NOT (getvariable('both_lack') AND (getvariable('own_many') OR bool_or(many))), 'duplicates=all does not go where both parties lack rows, as after private_id; '
               || CASE WHEN getvariable('own_many') THEN 'set duplicates=refuse or first, or take a view with one row for each id, with their sums'
                       ELSE 'the peer has to set duplicates=refuse or first, or to take a view with one row for each id' END),
       -- how many rows an id has counts like a number of a measure
       require(NOT bool_or(many) OR getvariable('max_measures')::BIGINT > 0, 'the peer runs with duplicates=all, and its numbers of rows tell as much as a measure, of which max_measures allows 0')
FROM aggregate_repeats;
SET VARIABLE peer_many = (SELECT many FROM aggregate_repeats);
