-- what is left of the matrix: the columns determine the weights only if that is nothing
CALL exchange_send(getvariable('peer'), 'regression/check', $$ SELECT square_trace(state, getvariable('leads')) AS share FROM regression_state $$);
SELECT require(count(*) = 1 AND bool_and(abs(share_reveal(own.share, theirs.share, scale := 10)) <= 0.01),
               'columns determine each other, and so no weights; leave one of them out, or have both parties set a larger l2, or more steps where they nearly do')
FROM (SELECT square_trace(state, getvariable('leads')) AS share FROM regression_state) own,
     exchange_recv(getvariable('peer'), 'regression/check', columns := 'share UBIGINT') theirs;
