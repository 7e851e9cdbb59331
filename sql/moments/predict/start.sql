-- whether both mean the same training; the peer's key
CALL exchange_send(getvariable('peer'), 'predict/start', $$
    SELECT getvariable('settings') AS settings, paillier_public_key(getvariable('key')) AS key $$);
SELECT require(count(*) = 1 AND bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the peer has ' || left(any_value(settings), 500) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session')
FROM exchange_recv(getvariable('peer'), 'predict/start', columns := 'settings VARCHAR, key BLOB');
SET VARIABLE peer_key = 'predict-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT key_import(getvariable('peer_key'), key, 'paillier') AS peer_key
FROM exchange_recv(getvariable('peer'), 'predict/start', columns := 'settings VARCHAR, key BLOB');

-- our shares of the peer's weights, encrypted
CALL exchange_send(getvariable('peer'), 'predict/weights', $$ SELECT position, ct FROM predict_encrypted ORDER BY position $$);
