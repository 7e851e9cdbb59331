-- our shares of the weights, which stay shared; with reveal=own, those of a party's features go to that party
CREATE OR REPLACE TABLE "${result}_share" AS
    SELECT party, n - start AS position, w[n] AS share, getvariable('training') AS training
    FROM lr_weights, lr_parties, (SELECT unnest(range(1, getvariable('total') + 1)) AS n) WHERE n > start AND n <= start + width
    ORDER BY n;
CREATE OR REPLACE TABLE "${log}" AS FROM lr_log ORDER BY iteration;
SET VARIABLE k = 0;

-- part reveal while getvariable('reveal') = 'own' AND getvariable('k') < len(string_split(getvariable('others'), ','))

-- to each other party, our shares of its weights
SET VARIABLE k = getvariable('k') + 1;
SET VARIABLE other = string_split(getvariable('others'), ',')[getvariable('k')];
CALL exchange_send(getvariable('other'), 'lrh/weights',
    $$ SELECT position, share FROM "${result}_share" WHERE party = getvariable('other') ORDER BY position $$);

-- part model if getvariable('reveal') = 'own'

-- results: our weights, for standardised features and in the columns' own units
CREATE OR REPLACE TEMP TABLE lr_own AS
    SELECT position, share_reveal(own.share, share_sum(theirs.share)) AS weight
    FROM "${result}_share" own JOIN exchange_recv_all(getvariable('others'), 'lrh/weights', columns := 'position BIGINT, share UBIGINT') theirs
        USING (position)
    WHERE party = getvariable('me') GROUP BY position, own.share;
SELECT require(count(*) = getvariable('width'), 'the other parties did not send their shares of our weights') FROM lr_own;
