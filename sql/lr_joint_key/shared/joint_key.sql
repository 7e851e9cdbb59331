-- part modulus if getvariable('modulus') = 'assistant'

-- the assistant's modulus
SELECT require(count(*) = 1, 'the assistant has to send one modulus')
FROM exchange_recv(getvariable('assistant'), 'lr/modulus', columns := 'modulus BLOB');
SELECT key_import('lr-' || getvariable('session') || '-modulus', modulus, 'modulus') AS modulus
FROM exchange_recv(getvariable('assistant'), 'lr/modulus', columns := 'modulus BLOB');

-- part joint-key

-- our part of the joint key, and a commitment to its public share
SET VARIABLE joint = 'lr-' || getvariable('session') || '-' || getvariable('me');
CALL joint_keygen(getvariable('joint'), modulus := CASE getvariable('modulus')
    WHEN 'assistant' THEN 'lr-' || getvariable('session') || '-modulus' ELSE getvariable('modulus') END);
CALL exchange_send(getvariable('peer'), 'lr/commitment',
    $$ SELECT joint_commitment(getvariable('joint')) AS commitment $$);

-- our share, once the peer has committed itself to its own
SELECT require(count(*) = 1, 'the peer has to send one commitment')
FROM exchange_recv(getvariable('peer'), 'lr/commitment', columns := 'commitment BLOB');
CALL exchange_send(getvariable('peer'), 'lr/share', $$ SELECT joint_key_share(getvariable('joint')) AS share $$);
SELECT require(count(*) = 1, 'the peer has to send one key share')
FROM exchange_recv(getvariable('peer'), 'lr/share', columns := 'share BLOB');

-- the joint key
SELECT joint_combine(getvariable('joint'), 'lr-' || getvariable('session') || '-' || getvariable('peer'),
                     commitment, share) AS joint_key
FROM exchange_recv(getvariable('peer'), 'lr/commitment', columns := 'commitment BLOB'),
     exchange_recv(getvariable('peer'), 'lr/share', columns := 'share BLOB');
