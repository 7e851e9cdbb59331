-- Tokens of our ids, psi_sequence(seq, psi_id), as psi_tokens_here(psi_id, token): messages 1 to 3, with the oblivious pseudo-random
-- function of RFC 9497. The variable `release` is set before.

-- part oprf-key if getvariable('scheme') = 'oprf'

SET VARIABLE key = 'psi-' || getvariable('session') || '-of-' || getvariable('peer');

-- message 1: the host's public key
SELECT require(count(*) = 1, 'the host has to send one key')
FROM exchange_recv(getvariable('peer'), 'psi/key', columns := 'key BLOB, proof BLOB');
SELECT key_import(getvariable('key'), key, 'oprf') AS host_key
FROM exchange_recv(getvariable('peer'), 'psi/key', columns := 'key BLOB, proof BLOB');

-- include ../../shared/release.sql

-- message 2: our ids, blinded
CREATE OR REPLACE TEMP TABLE psi_blinded AS SELECT seq, oprf_blind(psi_id, getvariable('key')) AS blinded FROM psi_sequence;
CALL exchange_send(getvariable('peer'), 'psi/blinded', $$ FROM psi_blinded ORDER BY seq $$);
CREATE OR REPLACE TEMP TABLE psi_tokens_here (psi_id VARCHAR, token BLOB);
SET VARIABLE ids = (SELECT count(*) FROM psi_sequence);
SET VARIABLE size = 262144;
SET VARIABLE k = 0;

-- part oprf-finalize while getvariable('scheme') = 'oprf' AND getvariable('k') * getvariable('size') < getvariable('ids')

-- message 3: the host's answers, some at a time, their proofs verified; unblinded, and hashed to tokens
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE psi_block AS
    SELECT (seq - 1) // 4096 AS batch, list(psi_id ORDER BY seq) AS ids, list(blinded ORDER BY seq) AS blinded
    FROM psi_sequence JOIN psi_blinded USING (seq)
    WHERE seq > (getvariable('k') - 1) * getvariable('size') AND seq <= getvariable('k') * getvariable('size') GROUP BY batch;
CREATE OR REPLACE TEMP TABLE psi_answer AS
    FROM exchange_recv(getvariable('peer'), 'psi/evaluated-' || getvariable('k')::VARCHAR, columns := 'batch BIGINT, evaluated BLOB[], proof BLOB');
SELECT require(count(*) = count(DISTINCT batch) AND count(*) = (SELECT count(*) FROM psi_block)
               AND count(*) = (SELECT count(*) FROM psi_block JOIN psi_answer USING (batch)),
               'the host did not answer each batch of our blinded ids exactly once')
FROM psi_answer;
INSERT INTO psi_tokens_here
    SELECT unnest(ids), unnest(oprf_finalize(ids, blinded, evaluated, proof, getvariable('key'))) FROM psi_block JOIN psi_answer USING (batch);

-- part oprf-end if getvariable('scheme') = 'oprf'

SELECT require(count(*) = getvariable('ids') AND count(DISTINCT psi_id) = count(*), 'the host did not answer each of our blinded ids exactly once')
FROM psi_tokens_here;

DROP TABLE psi_blinded;
