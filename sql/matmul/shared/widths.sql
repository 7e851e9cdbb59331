SELECT require(bool_and(m = 0 OR k = w_rows),
               'X has ' || any_value(k) || ' columns and W ' || any_value(w_rows)
               || ' rows; they have to be as many')
FROM matmul_shape;
SET VARIABLE m = (SELECT m FROM matmul_shape);
SET VARIABLE n = (SELECT n FROM matmul_shape);
SET VARIABLE terms = (SELECT w_rows FROM matmul_shape);
SELECT require(duckpriv_is_integer(getvariable('scale')) AND duckpriv_is_integer(getvariable('bound')) AND duckpriv_is_integer(getvariable('sigma')),
               'scale, bound and sigma have to be whole numbers');
SELECT require(getvariable('scale')::INTEGER BETWEEN 0 AND 500 AND getvariable('bound')::INTEGER BETWEEN 1 AND 500,
               'scale is ' || getvariable('scale') || ' and bound ' || getvariable('bound') || '; use a scale of 0 to 500 and a bound of 1 to 500 bits');
-- A sum of products has to fit into shares of 64 bits with its sign: the scale is lowered until it does.
SET VARIABLE growth = ceil(log2(getvariable('terms')))::INTEGER;
SET VARIABLE beyond = greatest(0, ceil((2 * getvariable('bound')::INTEGER + getvariable('growth') - 63) / 2.0))::INTEGER;
SET VARIABLE scale_used = getvariable('scale')::INTEGER - getvariable('beyond');
SET VARIABLE bound_used = getvariable('bound')::INTEGER - getvariable('beyond');
SET VARIABLE limit_used = 2.0::DOUBLE ** (getvariable('bound_used') - getvariable('scale_used'));
SELECT require(getvariable('scale_used') >= 0,
               'sums of ' || getvariable('terms') || ' products of numbers below ' || getvariable('limit_used')
               || ' do not fit into shares of 64 bits; scale the columns down, and have both parties set a smaller bound');
SELECT require(count(*) = 0, 'with scale=' || getvariable('scale') || ' and bound=' || getvariable('bound') || ' numbers have to be below '
               || getvariable('limit_used') || '; larger ones stand in column ' || string_agg(DISTINCT place::VARCHAR, ', ')
               || ' of the matrix. Scale it down, or have both parties set a larger bound: with each bit more the scale loses one')
FROM (SELECT generate_subscripts(x, 1) AS place, unnest(x) AS number FROM matmul_rows) WHERE abs(number) >= getvariable('limit_used');
-- a slot has room for a sum of products, its mask, and signs
SET VARIABLE slot_bits = 2 * getvariable('bound_used') + getvariable('growth') + getvariable('sigma')::INTEGER + 2;
SET VARIABLE key = 'matmul-' || getvariable('session') || '-' || getvariable('me');
SET VARIABLE peer_key = 'matmul-' || getvariable('session') || '-of-' || getvariable('peer');
