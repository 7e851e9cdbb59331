-- Bits: a sum of labels has those of the number of rows, and two more where noise may carry it below 0 or above. A slot has room for the sums' headers,
-- which count their terms, for a sign, and for a mask.
SET VARIABLE answer_bits = len(bin(getvariable('rows')::BIGINT)) + CASE WHEN getvariable('epsilon') > 0 THEN 2 ELSE 0 END;
SET VARIABLE slot_bits = len(bin(getvariable('rows')::BIGINT)) + 10 + getvariable('sigma')::INTEGER;
SET VARIABLE modulus = (2::HUGEINT ** getvariable('answer_bits'))::HUGEINT;
