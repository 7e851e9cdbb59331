-- a step begins
SET VARIABLE iteration = getvariable('iteration') + 1;
SET VARIABLE started = epoch_ms(now());
SET VARIABLE bytes_before = exchange_bytes();
SET VARIABLE with_loss = getvariable('loss_every')::INTEGER > 0
    AND ((getvariable('iteration') - 1) % greatest(getvariable('loss_every')::INTEGER, 1) = 0
         OR getvariable('iteration') = getvariable('iterations')::INTEGER);
