-- A count with noise is known modulo 4 to 8 times the number of rows. Noise of a 64th of that at most leaves the range in which it is read with probability e^-24.
SELECT require(getvariable('epsilon') = 0 OR 64 * getvariable('features') <= getvariable('epsilon') * getvariable('modulus')::DOUBLE,
               'the guest has ' || getvariable('features') || ' columns, and with epsilon=' || getvariable('epsilon') || ' noise is larger than counts of '
               || getvariable('rows') || ' rows can carry. Both take --set epsilon=' || 64 * getvariable('features') / getvariable('modulus')::DOUBLE
               || ' at least, or the guest names fewer --set columns=…');
