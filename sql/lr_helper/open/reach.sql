-- a gradient fits into 64 bits: labels and predictions are limited, and so are the features of a batch
SELECT require(count(*) = 0, 'in a batch of ' || getvariable('size') || ' rows some numbers are too far from the others: '
               || string_agg(coalesce((getvariable('features')::VARCHAR[])[place + 1 - getvariable('width') + len(getvariable('features'))], 'the intercept'), ', ')
               || '; take the logarithm of such columns, leave them out with --set columns=…, or have all parties set a larger batch')
FROM (SELECT place, sum(CASE WHEN v < 9223372036854775808 THEN v ELSE 18446744073709551616 - v END) AS total
      FROM (SELECT (generate_subscripts(x, 1) - 1) % getvariable('width') AS place, unnest(x) AS v
            FROM lr_batch WHERE getvariable('kind') <> 'logistic') GROUP BY place)
WHERE total > getvariable('reach') * 1.01 * 1048576;
