-- That our numbers are as small as agreed: sums of random subsets of them, each behind a mask that is sent before the subsets are known
-- (columns/range_proof.py). Rows of the table `range_all`.
SET VARIABLE range_key = getvariable('key');
CREATE OR REPLACE TEMP TABLE range_proof AS
    SELECT range_masks(ct, getvariable('mask_bits'), getvariable('range_key')) AS products FROM (SELECT any_value(ct) AS ct FROM range_all);
CALL exchange_send(getvariable('peer'), 'range/masks', 'SELECT products AS cts FROM range_proof');
SET VARIABLE challenge = (SELECT CASE WHEN count(*) = 1 THEN any_value(challenge) END
                          FROM exchange_recv(getvariable('peer'), 'range/challenge', columns := 'challenge VARCHAR'));
SELECT require(length(getvariable('challenge')) <= 100, 'the host''s challenge makes no sense');
SET VARIABLE range_from = 0;
SET VARIABLE range_rows = (SELECT count(*) FROM range_all);

-- part range while getvariable('range_from') < getvariable('range_rows')

CREATE OR REPLACE TEMP TABLE range_rows AS
    FROM range_all WHERE row > getvariable('range_from') AND row <= getvariable('range_from') + 32768;
-- include range_multiply.sql
SET VARIABLE range_from = getvariable('range_from') + 32768;

-- part range-open

CALL exchange_send(getvariable('peer'), 'range/opened', $$ SELECT range_open(products, getvariable('range_key')) AS opened FROM range_proof $$);
