-- to the peer: our ids, masked, in random order; and the public key of the random ids
CALL oprf_keygen(getvariable('mask_key'));
CALL oprf_keygen(getvariable('name_key'));
CREATE OR REPLACE TEMP TABLE private_id_masked AS
    SELECT seq, dh_mask(psi_id, getvariable('mask_key')) AS masked FROM private_id_sequence;

SET VARIABLE release = {what: 'how many distinct ids we have, and how many of them the peer has too', numbers: 2::BIGINT, alignment: getvariable('result')};
-- include ../../shared/release.sql

CALL exchange_send(getvariable('peer'), 'private_id/key', $$ SELECT oprf_public_key(getvariable('name_key')) AS key $$);
CALL exchange_send(getvariable('peer'), 'private_id/masked', $$ FROM private_id_masked ORDER BY seq $$);

-- from the peer: the same
SELECT require(count(*) = 1, 'the peer has to send one key')
FROM exchange_recv(getvariable('peer'), 'private_id/key', columns := 'key BLOB');
SELECT key_import(getvariable('peer_key'), key, 'oprf') AS peer_key
FROM exchange_recv(getvariable('peer'), 'private_id/key', columns := 'key BLOB');
CREATE OR REPLACE TEMP TABLE private_id_theirs AS
    FROM exchange_recv(getvariable('peer'), 'private_id/masked', columns := 'seq BIGINT, masked BLOB');
SET VARIABLE peer_ids = (SELECT count(*) FROM private_id_theirs);
SELECT require(is_numbered(seq, getvariable('peer_ids')), 'the peer''s masked ids are not numbered one by one'),
       require(getvariable('most_ids')::BIGINT = 0 OR getvariable('peer_ids') <= getvariable('most_ids')::BIGINT,
               'the peer has ' || getvariable('peer_ids') || ' ids, more than most_ids allows'),
       require(count(DISTINCT masked) = count(*), 'the peer masked an id more than once')
FROM private_id_theirs;
