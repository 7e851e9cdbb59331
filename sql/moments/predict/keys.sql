-- our key, and our shares of the peer's weights, encrypted
SET VARIABLE key = 'predict-' || getvariable('session') || '-' || getvariable('me');
CALL paillier_keygen(getvariable('key'), bits := getvariable('bits'));
CREATE OR REPLACE TEMP TABLE predict_encrypted AS
    SELECT generate_subscripts(cts, 1) AS position, unnest(cts) AS ct
    FROM (SELECT wide_encrypt(wide_encode(getvariable('peer_shares')), getvariable('key'), getvariable('slot_bits')) AS cts);
