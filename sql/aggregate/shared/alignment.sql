-- the alignment that private matching left
SELECT require(has_table(getvariable('alignment')) AND (getvariable('leads') OR has_table(getvariable('alignment') || '_unmatched')),
               'there is no table ' || getvariable('alignment') || CASE WHEN getvariable('leads') THEN '' ELSE ', or none of that name and _unmatched' END
               || '; run private matching first, or name its result with --set alignment=NAME');
SELECT require(count(*) > 0, 'the alignment is empty: private matching found no common row') FROM "${alignment}";
-- include ../../shared/lacking.sql
