-- what goes where both lack rows
SET VARIABLE settings = getvariable('settings') || getvariable('lacking_text');
SELECT require(NOT getvariable('both_lack') OR len(getvariable('guest_list')) = 1,
               'with several guests all need alignments in which the host has all rows, as psi leaves them; or train with one guest'),
       require(NOT getvariable('both_lack') OR getvariable('activation') = 'blind',
               'with activation=open the helper sees a score of each row that one of the parties has, and could tell rows that the other lacks; use activation=blind');
