CALL exchange_send(getvariable('peer'), 'aggregate/columns', $$ SELECT use, position, name, type, scale, most FROM aggregate_own ORDER BY use, position $$);
