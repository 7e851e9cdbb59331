-- to the peer: our shares of the correlations
CALL exchange_send(getvariable('peer'), 'correlation/shares', $$
    SELECT pair, CASE WHEN i = j AND with_hidden THEN share ELSE share % 4194304 END::UBIGINT AS share
    FROM correlation_shares JOIN correlation_pairs USING (pair) ORDER BY pair $$);
