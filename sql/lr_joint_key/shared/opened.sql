-- how many numbers a party sees of a batch in all steps: its gradient at each visit, the loss, and whether to go on
SET VARIABLE visits = ceil(getvariable('iterations')::DOUBLE / getvariable('batches'))::BIGINT;
SET VARIABLE opened = getvariable('visits') * greatest(getvariable('width'), getvariable('peer_width'))
    + CASE WHEN getvariable('loss_every')::INTEGER = 0 THEN 0
           ELSE least(getvariable('visits'), ceil(getvariable('iterations')::DOUBLE / getvariable('loss_every')::INTEGER))::BIGINT END
    + CASE WHEN getvariable('stop')::DOUBLE > 0 THEN 2 * getvariable('visits') ELSE 0 END;
