-- that the guest's numbers are as small as agreed: it opens sums of random subsets, behind masks that we have
CREATE OR REPLACE TEMP TABLE range_proof AS
    SELECT cts AS products FROM exchange_recv(getvariable('peer'), 'range/masks', columns := 'cts BLOB[]');
SELECT require(count(*) = 1, 'the guest did not send masks for its proof once') FROM range_proof;
SET VARIABLE challenge = (SELECT random_id(1)::VARCHAR);
CALL exchange_send(getvariable('peer'), 'range/challenge', $$ SELECT getvariable('challenge') AS challenge $$);
