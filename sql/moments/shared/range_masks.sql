-- That our numbers are as small as agreed: sums of random subsets of the rows of `range_rows`, each behind a mask that is sent before
-- the subsets are known (columns/range_proof.py).
CREATE OR REPLACE TEMP TABLE range_proof AS
    SELECT range_masks(ct, getvariable('mask_bits'), getvariable('range_key')) AS products FROM (SELECT any_value(ct) AS ct FROM range_rows);
CALL exchange_send(getvariable('peer'), 'range/masks', 'SELECT products AS cts FROM range_proof');
SET VARIABLE challenge = (SELECT CASE WHEN count(*) = 1 THEN any_value(challenge) END
                          FROM exchange_recv(getvariable('peer'), 'range/challenge', columns := 'challenge VARCHAR'));
SELECT require(length(getvariable('challenge')) <= 100, 'the host''s challenge makes no sense');
