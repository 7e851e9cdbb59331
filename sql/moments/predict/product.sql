-- the peer's shares of our weights, encrypted
CREATE OR REPLACE TEMP TABLE predict_theirs AS
    FROM exchange_recv(getvariable('peer'), 'predict/weights', columns := 'position BIGINT, ct BLOB');
SELECT require(is_numbered(position, len(getvariable('own_shares'))), 'the peer did not send its share of each of our weights once'),
       require(bool_and((l.scale, l.bound, l.slot_bits, l.count) = (0, 128, getvariable('slot_bits'), 1)),
               'the peer''s ciphertexts do not have the agreed scale, bound and slots')
FROM (SELECT position, he_layout(ct) AS l FROM predict_theirs);

-- Our part of each score has our numbers times our shares of their weights, in the clear, and times the peer's shares, under its key. Some rows
-- share a ciphertext, a slot each: so each weight is put into each slot, and a block of rows is one row of the product.
CREATE OR REPLACE TEMP TABLE predict_blocks AS
    SELECT block AS row, x || list_transform(range(len(x), getvariable('slots') * len(getvariable('own_shares'))), lambda i: 0.0::DOUBLE) AS x
    FROM (SELECT (row - 1) // getvariable('slots') + 1 AS block, flatten(list(x ORDER BY row)) AS x FROM predict_rows GROUP BY block);
CREATE OR REPLACE TEMP TABLE predict_clear AS
    SELECT row AS block, ring_matvec(ring_encode(x, scale := 20), getvariable('own_shares')) AS parts FROM predict_blocks;
CREATE OR REPLACE TEMP TABLE predict_placed AS
    SELECT (slot - 1) * len(getvariable('own_shares')) + position AS row,
           he_pack(list_transform(range(1, getvariable('slots') + 1), lambda i: CASE WHEN i = slot THEN ct ELSE zero END),
                   getvariable('peer_key'), slot_bits := getvariable('slot_bits')) AS ct
    FROM predict_theirs, range(1, getvariable('slots') + 1) s(slot),
         (SELECT wide_encrypt(wide_encode([0]), getvariable('peer_key'), getvariable('slot_bits'))[1] AS zero);
CREATE OR REPLACE TEMP TABLE predict_product AS
    SELECT row AS block, ct FROM he_matmul('predict_blocks', 'predict_placed', getvariable('peer_key'), scale := 20, bound := 35);
