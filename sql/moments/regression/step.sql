-- the matrix squared and the weights with it: both less their masks, to the peer
SET VARIABLE step = getvariable('step') + 1;
SET VARIABLE before = {'time': epoch_ms(now()), 'bytes': exchange_bytes()};
CREATE OR REPLACE TEMP TABLE regression_masked AS
    SELECT state, masks, squares, wide_sub(state, masks) AS opened
    FROM regression_state, regression_squares WHERE step = getvariable('step');
CALL exchange_send(getvariable('peer'), 'regression/opened-' || getvariable('step'), 'SELECT opened FROM regression_masked');
CREATE OR REPLACE TEMP TABLE regression_theirs AS
    FROM exchange_recv(getvariable('peer'), 'regression/opened-' || getvariable('step'), columns := 'opened BLOB');
SELECT require(count(*) = 1, 'the peer has to open its part of a step once') FROM regression_theirs;
CREATE OR REPLACE TEMP TABLE regression_state AS
    SELECT square_step(state, wide_add(own.opened, theirs.opened), masks, squares, getvariable('leads')) AS state
    FROM regression_masked own, regression_theirs theirs;
INSERT INTO regression_log
    SELECT getvariable('step'), NULL, NULL, (epoch_ms(now()) - getvariable('before').time) / 1000, exchange_bytes() - getvariable('before').bytes;
