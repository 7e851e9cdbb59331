-- Bits: the guest's numbers have 20 behind the point and 8 before it; what it proves of them is less than that. The host's have 20 and
-- 8, and products of two of them 20 and 16. A slot has room for their sum over all rows, its mask, and signs.
SET VARIABLE mask_bits = 28 + ceil(log2(getvariable('rows')))::BIGINT + getvariable('sigma')::INTEGER;
SET VARIABLE believed = getvariable('mask_bits') + 2;
SET VARIABLE slot_bits = getvariable('believed') + 37 + 15 + ceil(log2(ceil(getvariable('rows') / 32768)))::BIGINT + 1 + getvariable('sigma')::INTEGER + 2;
