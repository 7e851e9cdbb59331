-- Bits: a sum of labels has those of the number of rows, and two more where noise may carry it below 0 or above. A slot has room for the sums' headers,
-- which count their terms, for a sign, and for a mask.
SET VARIABLE answer_bits = len(bin(getvariable('rows')::BIGINT)) + CASE WHEN getvariable('epsilon') > 0 THEN 2 ELSE 0 END;
SET VARIABLE slot_bits = len(bin(getvariable('rows')::BIGINT)) + 10 + getvariable('sigma')::INTEGER;
-- So many labels stand in a ciphertext. The sums of a bin are made for each of the places, with whatever that adds up in the others, and only what
-- stands in that place is used.
SET VARIABLE places = 4;
SET VARIABLE blocks = (getvariable('rows') + getvariable('places') - 1) // getvariable('places');
SET VARIABLE modulus = (2::HUGEINT ** getvariable('answer_bits'))::HUGEINT;
