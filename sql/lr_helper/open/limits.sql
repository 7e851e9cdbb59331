-- What fits into 64 bits. In the rows of a batch a column's numbers, standardised, have the sum sqrt(size * rows) at most,
-- and with residuals below 1 the gradient is below that; it has 22 bits before the point, and a step 12. Without a bound
-- on residuals, batches are held to 4 deviations a row, and labels and predictions to `most`.
SET VARIABLE score_range = 0;
SET VARIABLE bits = 0;
SET VARIABLE label_scale = 20;
SET VARIABLE largest_batch = ceil(getvariable('rows') / getvariable('batches'))::BIGINT;
SET VARIABLE reach = least(sqrt(getvariable('rows')) * sqrt(getvariable('largest_batch')), 4 * greatest(getvariable('largest_batch'), 256));
SET VARIABLE most = CASE getvariable('kind') WHEN 'logistic' THEN 1.0::DOUBLE
    ELSE least(1024, 2000000 / getvariable('reach'),
               1000 * getvariable('largest_batch') / (getvariable('learning_rate')::DOUBLE * getvariable('reach'))) END;
SELECT require(getvariable('kind') <> 'logistic' OR sqrt(getvariable('rows')) * sqrt(getvariable('largest_batch')) < 2 ** 22,
               'sums over batches of ' || getvariable('largest_batch') || ' of ' || getvariable('rows')
               || ' rows do not fit into 64 bits; have all parties set a smaller batch'),
       require(getvariable('kind') <> 'logistic'
               OR getvariable('learning_rate')::DOUBLE * sqrt(getvariable('rows') / getvariable('largest_batch')) < 2000,
               'with learning_rate=' || getvariable('learning_rate') || ' a step does not fit into 64 bits; have all parties set a smaller one');

-- steps are rounded to 2^-30
SET VARIABLE last_rate = getvariable('learning_rate')::DOUBLE / (1 + getvariable('decay')::DOUBLE * (getvariable('iterations')::INTEGER - 1));
SELECT require(getvariable('last_rate') / getvariable('largest_batch') >= 2 ** -23
               AND (getvariable('l2')::DOUBLE = 0 OR getvariable('last_rate') * getvariable('l2')::DOUBLE >= 2 ** -23),
               'the learning rate, or l2, is too small at the last step: they are rounded to 2^-30, the rate after division by the '
               || 'rows of a batch');
