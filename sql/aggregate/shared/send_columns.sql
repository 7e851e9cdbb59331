CALL exchange_send(getvariable('peer'), 'aggregate/columns', $$ SELECT use, position, name, type, scale FROM aggregate_own ORDER BY use, position $$);
