-- our first weights; the host's feature 1 is the intercept
CREATE OR REPLACE TEMP TABLE lr_weights AS
    SELECT feature, CASE getvariable('start') WHEN 'zero' THEN 0.0::DOUBLE
                    ELSE 0.04 * (hash(random_id(feature)) / 18446744073709551616 - 0.5) END AS weight
    FROM (SELECT unnest(range(1, getvariable('width') + 1)) AS feature);
CREATE OR REPLACE TEMP TABLE lr_log (iteration BIGINT, loss DOUBLE, gradient_norm DOUBLE, seconds DOUBLE, bytes BIGINT);
SET VARIABLE iteration = 0;
SET VARIABLE go_on = true;
