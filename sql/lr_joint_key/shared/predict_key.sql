-- our settings, our part of the joint key, and a commitment to its public share
SET VARIABLE joint = 'predict-' || getvariable('session') || '-' || getvariable('me');
CALL joint_keygen(getvariable('joint'), modulus := getvariable('modulus'));
CALL exchange_send(getvariable('peer'), 'predict/commitment',
    $$ SELECT getvariable('settings') AS settings, joint_commitment(getvariable('joint')) AS commitment $$);

-- our share, once the peer has committed itself to its own
SELECT require(count(*) = 1, 'the peer has to send one commitment'),
       require(bool_and(settings = getvariable('settings')),
               'the parties'' settings differ: the peer has ' || any_value(settings) || ' and we have '
               || getvariable('settings') || '; agree on one and start a new session')
FROM exchange_recv(getvariable('peer'), 'predict/commitment', columns := 'settings VARCHAR, commitment BLOB');
CALL exchange_send(getvariable('peer'), 'predict/share', $$ SELECT joint_key_share(getvariable('joint')) AS share $$);
SELECT require(count(*) = 1, 'the peer has to send one key share')
FROM exchange_recv(getvariable('peer'), 'predict/share', columns := 'share BLOB');

-- the joint key
SELECT joint_combine(getvariable('joint'), 'predict-' || getvariable('session') || '-' || getvariable('peer'),
                     commitment, share) AS joint_key
FROM exchange_recv(getvariable('peer'), 'predict/commitment', columns := 'settings VARCHAR, commitment BLOB'),
     exchange_recv(getvariable('peer'), 'predict/share', columns := 'share BLOB');
