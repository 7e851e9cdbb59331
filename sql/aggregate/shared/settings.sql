-- settings; the peer's messages are checked for those that have to be the same at both
SELECT require(duckpriv_is_integer(getvariable('minimum')) AND getvariable('minimum')::BIGINT BETWEEN 1 AND 1000, 'minimum is a whole number from 1 to 1000'),
       require(getvariable('to') IN ('host', 'guest', 'both'), 'to is host, guest or both'),
       require(getvariable('totals') IN ('yes', 'no'), 'totals is yes or no'),
       require(coalesce(TRY_CAST(getvariable('epsilon') AS DOUBLE) BETWEEN 0 AND 1000, false), 'epsilon is a number, 0 or more; 0: no noise'),
       require(duckpriv_is_integer(getvariable('bits')) AND getvariable('bits')::BIGINT BETWEEN 2048 AND 8192, 'bits is a whole number from 2048 to 8192'),
       require(duckpriv_is_integer(getvariable('sigma')) AND getvariable('sigma')::BIGINT BETWEEN 40 AND 128, 'sigma is a whole number from 40 to 128'),
       require(duckpriv_is_integer(getvariable('decimals')) AND getvariable('decimals')::BIGINT BETWEEN 0 AND 12, 'decimals is a whole number from 0 to 12'),
       require(duckpriv_is_integer(getvariable('max_measures')) AND getvariable('max_measures')::BIGINT BETWEEN 0 AND 100, 'max_measures is a whole number from 0 to 100'),
       require(duckpriv_is_integer(getvariable('max_groups')) AND getvariable('max_groups')::BIGINT BETWEEN 1 AND 100000,
               'max_groups is a whole number from 1 to 100000');
SET VARIABLE minimum = getvariable('minimum')::BIGINT;
SET VARIABLE bits = getvariable('bits')::BIGINT;
SET VARIABLE sigma = getvariable('sigma')::BIGINT;
SET VARIABLE eps = getvariable('epsilon')::DOUBLE;
SET VARIABLE receives = getvariable('to') IN ('both', CASE WHEN getvariable('leads') THEN 'host' ELSE 'guest' END);
SET VARIABLE peer_receives = getvariable('to') IN ('both', CASE WHEN getvariable('leads') THEN 'guest' ELSE 'host' END);
