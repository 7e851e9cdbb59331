-- the alignment that private matching left, and the column with its ids
SELECT require(has_table(getvariable('alignment')),
               'there is no table ' || getvariable('alignment') || '; run private matching first, name its result with --set alignment=NAME, '
               || 'or name an id column that both tables share with --set id=COLUMN');
SELECT require(count(*) > 0, 'the alignment is empty: private matching found no common row') FROM "${alignment}";
