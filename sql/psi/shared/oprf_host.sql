-- Tokens of our ids, psi_distinct(psi_id), as psi_tokens_here(psi_id, token), and blindly of the guest's: messages 1 to 3, with the
-- oblivious pseudo-random function of RFC 9497.

-- part oprf-key if getvariable('scheme') = 'oprf'

SET VARIABLE key = 'psi-' || getvariable('session') || '-' || getvariable('me');

-- message 1: the public key; it needs no proof
CALL oprf_keygen(getvariable('key'));
CALL exchange_send(getvariable('peer'), 'psi/key', $$ SELECT oprf_public_key(getvariable('key')) AS key, ''::BLOB AS proof $$);

-- message 2: the guest's ids, blinded
CREATE OR REPLACE TEMP TABLE psi_blinded AS
    FROM exchange_recv(getvariable('peer'), 'psi/blinded', columns := 'seq BIGINT, blinded BLOB');
SET VARIABLE guest_ids = (SELECT count(*) FROM psi_blinded);
SELECT require(is_numbered(seq, getvariable('guest_ids')), 'the guest''s blinded ids are not numbered one by one'),
       require(getvariable('most_ids')::BIGINT = 0 OR getvariable('guest_ids') <= getvariable('most_ids')::BIGINT,
               'the guest has ' || getvariable('guest_ids') || ' ids, more than most_ids allows')
FROM psi_blinded;
SET VARIABLE size = 262144;
SET VARIABLE k = 0;

-- part oprf-evaluate while getvariable('scheme') = 'oprf' AND getvariable('k') * getvariable('size') < getvariable('guest_ids')

-- message 3: evaluate them, some at a time; a value that is none of the group ends it before that block is sent
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE psi_block AS
    SELECT (seq - 1) // 4096 AS batch, list(blinded ORDER BY seq) AS blinded FROM psi_blinded
    WHERE seq > (getvariable('k') - 1) * getvariable('size') AND seq <= getvariable('k') * getvariable('size') GROUP BY batch;
CALL exchange_send(getvariable('peer'), 'psi/evaluated-' || getvariable('k')::VARCHAR, $$
    SELECT batch, e.evaluated AS evaluated, e.proof AS proof
    FROM (SELECT batch, oprf_evaluate(blinded, getvariable('key')) AS e FROM psi_block) ORDER BY batch $$);

-- part oprf-tokens if getvariable('scheme') = 'oprf'

-- the tokens of our own ids, while the guest works on the answers
CREATE OR REPLACE TEMP TABLE psi_tokens_here AS
    SELECT psi_id, oprf_token(psi_id, getvariable('key')) AS token FROM psi_distinct;
