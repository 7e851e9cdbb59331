-- Tokens of our ids, psi_sequence(seq, psi_id), as psi_tokens_here(psi_id, token): messages 1 to 3, with the blind signatures of
-- RFC 9474. The variable `release` is set before.

-- part rsa if getvariable('scheme') = 'rsa'

SET VARIABLE key = 'psi-' || getvariable('session') || '-of-' || getvariable('peer');

-- message 1: the host's public key, with the proof that it blinds perfectly
SELECT require(count(*) = 1 AND min(octet_length(proof)) > 0, 'the host has to send one key with its proof')
FROM exchange_recv(getvariable('peer'), 'psi/key', columns := 'key BLOB, proof BLOB');
SELECT key_import(getvariable('key'), key, 'rsa', proof := proof) AS host_key
FROM exchange_recv(getvariable('peer'), 'psi/key', columns := 'key BLOB, proof BLOB');

-- include ../../shared/release.sql

-- message 2: our ids, blinded
CALL exchange_send(getvariable('peer'), 'psi/blinded',
    $$ SELECT seq, rsa_blind(psi_id, getvariable('key')) AS blinded FROM psi_sequence $$);

-- message 3: the host's signatures, unblinded, verified, and hashed to tokens
CREATE OR REPLACE TEMP TABLE psi_tokens_here AS
    SELECT psi_id, rsa_finalize(psi_id, signed, getvariable('key')) AS token
    FROM psi_sequence
    JOIN exchange_recv(getvariable('peer'), 'psi/signed', columns := 'seq BIGINT, signed BLOB') USING (seq);
SELECT require(
    count(*) = count(DISTINCT psi_id) AND count(*) = (SELECT count(*) FROM psi_sequence),
    'the host did not sign each of our blinded ids exactly once')
FROM psi_tokens_here;
