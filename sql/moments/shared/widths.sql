-- Bits: the guest's numbers have 20 behind the point and 8 before it, products of two of the host's 40 and 16. A slot has room for sums
-- over all rows, which are made in blocks, for a sign, and for a mask.
SET VARIABLE slot_bits = 28 + 57 + ceil(log2(getvariable('rows')))::BIGINT + 4 + 1 + getvariable('sigma')::INTEGER;
