-- How many rows of a batch are common: where both lack rows, nobody knows it of one of several batches, which are random, but their mean, and what
-- hardly any has fewer of (4 deviations).
SET VARIABLE batch_common = getvariable('common_rows') / getvariable('batches');
SET VARIABLE fewest_common = CASE WHEN getvariable('batches') = 1 OR NOT getvariable('both_lack') THEN getvariable('common_rows')
                                  ELSE greatest(0, floor(getvariable('batch_common') - 4 * sqrt(getvariable('batch_common')))) END::BIGINT;

-- how many numbers a party sees of a batch in all steps: its gradient at each visit, the loss, and whether to go on
SET VARIABLE visits = ceil(getvariable('iterations')::DOUBLE / getvariable('batches'))::BIGINT;
SET VARIABLE opened = getvariable('visits') * greatest(getvariable('width'), getvariable('peer_width'))
    + CASE WHEN getvariable('loss_every')::INTEGER = 0 THEN 0
           ELSE least(getvariable('visits'), 1 + ceil((getvariable('iterations')::DOUBLE - 1) / getvariable('loss_every')::INTEGER))::BIGINT END
    + CASE WHEN getvariable('stop')::DOUBLE > 0 THEN 2 * getvariable('visits') ELSE 0 END;
