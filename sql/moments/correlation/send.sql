-- to the peer: our shares of the correlations
CALL exchange_send(getvariable('peer'), 'correlation/shares', $$ SELECT pair, share FROM correlation_shares ORDER BY pair $$);
