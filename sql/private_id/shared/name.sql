-- to the peer: its masked ids under the key of our part of the random ids, in its order, some at a time, each with a proof that it is one key
SET VARIABLE size = 262144;
SET VARIABLE k = 0;

-- part name while getvariable('k') * getvariable('size') < getvariable('peer_ids')

SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE private_id_block AS
    SELECT (seq - 1) // 4096 AS batch, list(masked ORDER BY seq) AS masked FROM private_id_theirs
    WHERE seq > (getvariable('k') - 1) * getvariable('size') AND seq <= getvariable('k') * getvariable('size') GROUP BY batch;
CALL exchange_send(getvariable('peer'), 'private_id/named-' || getvariable('k')::VARCHAR, $$
    SELECT batch, e.evaluated AS named, e.proof AS proof
    FROM (SELECT batch, oprf_evaluate(masked, getvariable('name_key')) AS e FROM private_id_block) ORDER BY batch $$);

-- part named

DROP TABLE private_id_theirs;
CREATE OR REPLACE TEMP TABLE private_id_names (psi_id VARCHAR, pid UUID);
SET VARIABLE k = 0;

-- part own while getvariable('k') * getvariable('size') < getvariable('ids')

-- from the peer: ours. Without our mask, and with our key, they are the random ids.
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE private_id_block AS
    SELECT (seq - 1) // 4096 AS batch, list(psi_id ORDER BY seq) AS ids, list(masked ORDER BY seq) AS masked
    FROM private_id_sequence JOIN private_id_masked USING (seq)
    WHERE seq > (getvariable('k') - 1) * getvariable('size') AND seq <= getvariable('k') * getvariable('size') GROUP BY batch;
CREATE OR REPLACE TEMP TABLE private_id_answer AS
    FROM exchange_recv(getvariable('peer'), 'private_id/named-' || getvariable('k')::VARCHAR, columns := 'batch BIGINT, named BLOB[], proof BLOB');
SELECT require(count(*) = count(DISTINCT batch) AND count(*) = (SELECT count(*) FROM private_id_block)
               AND count(*) = (SELECT count(*) FROM private_id_block JOIN private_id_answer USING (batch)),
               'the peer did not answer each batch once')
FROM private_id_answer;
SELECT require(bool_and(oprf_verify(masked, named, proof, getvariable('peer_key'))), 'a proof does not hold')
FROM private_id_block JOIN private_id_answer USING (batch);
INSERT INTO private_id_names
    SELECT psi_id, CAST(left(sha256(encode('duckpriv/private-id/v1') || dh_remask(named, getvariable('name_key'), old := getvariable('mask_key'))), 32) AS UUID)
    FROM (SELECT unnest(ids) AS psi_id, unnest(named) AS named FROM private_id_block JOIN private_id_answer USING (batch));
