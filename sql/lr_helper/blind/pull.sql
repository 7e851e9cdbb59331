-- Steps are divided by all rows of a batch. Where both lack rows only a share of them counts, and weights are drawn to 0 by as much less: so the weights
-- that the training comes to are those of the common rows.
SET VARIABLE share = CASE WHEN getvariable('both_lack') THEN getvariable('common_rows') / getvariable('rows')::DOUBLE ELSE 1.0::DOUBLE END;
SET VARIABLE pull = getvariable('share') * getvariable('l2')::DOUBLE;
SELECT require(getvariable('pull') = 0 OR getvariable('last_rate') * getvariable('pull') >= 2.0 ** (8 - getvariable('bits')),
               'steps do not fit into 64 bits: the last learning rate, or l2, is too small beside the first one, the batch or the range. '
               || 'Have all parties set a smaller decay, batch or range, or a larger learning_rate');
