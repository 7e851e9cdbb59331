-- the alignment that private matching left, and the column with its ids
SELECT require(has_table(getvariable('alignment')) AND has_table(getvariable('alignment') || '_unmatched'),
               'there are no tables ' || getvariable('alignment') || ' and ' || getvariable('alignment') || '_unmatched; run private matching '
               || 'first (psi/guest), name the first with --set alignment=NAME, or name an id column that all tables share with '
               || '--set id=COLUMN');
SELECT require(count(*) > 0, 'the alignment is empty: private matching found no common row') FROM "${alignment}";
