-- how many batches' features, and how many steps' random numbers, make a message: 16 MB, and 8 MB or 4 steps
SET VARIABLE dealt_width = activation_width(getvariable('kind'), getvariable('score_range'), getvariable('with_loss'));
SET VARIABLE largest_batch = ceil(getvariable('rows') / getvariable('batches'))::BIGINT;
SET VARIABLE together = greatest(1, 2000000 // (getvariable('largest_batch') * getvariable('total')));
SET VARIABLE dealt_together = greatest(1000000 // (getvariable('largest_batch') * getvariable('dealt_width')), 4);
