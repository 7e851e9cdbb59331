-- Bits: the guest's numbers have 20 behind the point and 8 before it, the host's too, and products of two of them 20 and 16. A slot has
-- room for their sum over all rows, its mask, and signs.
SET VARIABLE slot_bits = 28 + 37 + 15 + ceil(log2(ceil(getvariable('rows') / 32768)))::BIGINT + 1 + getvariable('sigma')::INTEGER + 2;
