-- who has what; it says nothing of the data
CALL exchange_send(getvariable('peer'), 'lift/role', $$ SELECT CASE WHEN getvariable('exposes') THEN 'arm' ELSE 'outcomes' END AS has $$);
SELECT require(count(*) = 1 AND bool_and(has = CASE WHEN getvariable('exposes') THEN 'outcomes' ELSE 'arm' END),
               'both parties have ' || CASE WHEN getvariable('exposes') THEN 'an arm' ELSE 'outcomes' END || ': one sets arm, and the other outcomes')
FROM exchange_recv(getvariable('peer'), 'lift/role', columns := 'has VARCHAR');

