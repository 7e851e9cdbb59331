-- Tokens of our ids, psi_distinct(psi_id), as psi_tokens_here(psi_id, token), and blindly of the guest's: messages 1 to 3, with the
-- signatures of RFC 9474.

-- part rsa if getvariable('scheme') = 'rsa'

SET VARIABLE key = 'psi-' || getvariable('session') || '-' || getvariable('me');

-- message 1: the public key, and the proof that it blinds the guest's ids perfectly
CALL rsa_keygen(getvariable('key'), bits := getvariable('bits'));
CALL exchange_send(getvariable('peer'), 'psi/key',
    $$ SELECT rsa_public_key(getvariable('key')) AS key, rsa_key_proof(getvariable('key')) AS proof $$);

-- message 2: the guest's ids, blinded
SELECT require(count(DISTINCT seq) = count(*), 'the guest''s blinded ids are not numbered one by one'),
       require(getvariable('most_ids')::BIGINT = 0 OR count(*) <= getvariable('most_ids')::BIGINT,
               'the guest has ' || count(*) || ' ids, more than most_ids allows')
FROM exchange_recv(getvariable('peer'), 'psi/blinded', columns := 'seq BIGINT, blinded BLOB');

-- message 3: sign them; a value that is out of range ends it before anything is sent
CALL exchange_send(getvariable('peer'), 'psi/signed', $$
    SELECT seq, blind_sign(blinded, getvariable('key')) AS signed
    FROM exchange_recv(getvariable('peer'), 'psi/blinded', columns := 'seq BIGINT, blinded BLOB') $$);

-- the tokens of our own ids, while the guest works on the signatures
CREATE OR REPLACE TEMP TABLE psi_tokens_here AS
    SELECT psi_id, rsa_token(psi_id, getvariable('key')) AS token FROM psi_distinct;
