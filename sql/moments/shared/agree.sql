-- whether both compute the same
CALL exchange_send(getvariable('peer'), 'moments/agree', $$ SELECT getvariable('settings') AS settings $$);
SELECT require(count(*) = 1 AND bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the peer has ' || left(any_value(settings), 500) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session')
FROM exchange_recv(getvariable('peer'), 'moments/agree', columns := 'settings VARCHAR');
