-- What fits into 64 bits. Per step and column, learning rate times residuals times features has 20 fractional bits of the
-- feature, `bits` of learning rate, residual and rows, and has to stay below 2^60, as has the pull to 0, which in sum is
-- never more: from 20 + `bits` the step comes back to 20. Residuals are `furthest` at most, and in the rows of a batch a
-- column's numbers, standardised, have the sum `reach` at most, which each party checks.
SET VARIABLE score_range = CASE WHEN getvariable('range')::VARCHAR <> '' THEN getvariable('range')::VARCHAR::INTEGER
    ELSE CASE getvariable('kind') WHEN 'logistic' THEN 24 WHEN 'identity' THEN 384 ELSE 12 END END;
SET VARIABLE most = CASE getvariable('kind') WHEN 'logistic' THEN 1.0::DOUBLE WHEN 'identity' THEN getvariable('score_range')
    ELSE floor(exp(getvariable('score_range') * 5 / 12)) END;
SET VARIABLE furthest = getvariable('most') + CASE getvariable('kind') WHEN 'identity' THEN getvariable('score_range') * 7 / 6 ELSE 0 END;
SET VARIABLE largest_batch = ceil(getvariable('rows') / getvariable('batches'))::BIGINT;
SET VARIABLE smallest_batch = getvariable('rows') // getvariable('batches');
SET VARIABLE reach = least(sqrt(getvariable('rows')) * sqrt(getvariable('largest_batch')), 4 * greatest(getvariable('largest_batch'), 256));
SET VARIABLE bits = least(50, floor(40 - log2(getvariable('learning_rate')::DOUBLE * getvariable('furthest') * getvariable('reach')
                                              / getvariable('smallest_batch'))))::BIGINT;
SET VARIABLE last_rate = getvariable('learning_rate')::DOUBLE / (1 + getvariable('decay')::DOUBLE * (getvariable('iterations')::INTEGER - 1));

-- the bits of a residual less those of the rows: for the label, and for the rest of the learning rate
SET VARIABLE room = floor(getvariable('bits') + log2(getvariable('last_rate') / getvariable('largest_batch')))::BIGINT;
SET VARIABLE label_scale = CASE getvariable('kind') WHEN 'logistic' THEN 0
    ELSE greatest(0, least(12, greatest(getvariable('room') - 10, getvariable('room') // 2))) END;
SELECT require(activation_width(getvariable('kind'), getvariable('score_range'), false) > 0, 'the range makes no sense'),
       require(getvariable('room') >= 12,
               'steps do not fit into 64 bits: the last learning rate, or l2, is too small beside the first one, the batch or the range. '
               || 'Have all parties set a smaller decay, batch or range, or a larger learning_rate'),
       require(NOT getvariable('with_loss') OR getvariable('largest_batch') * getvariable('furthest')
               * CASE getvariable('kind') WHEN 'identity' THEN getvariable('furthest') * 4.0 ** getvariable('label_scale') ELSE 2.0 ** 32 END
               < 2.0 ** 62,
               'the loss of a batch does not fit into 64 bits; have all parties set a smaller batch or range, or loss=no');
