-- part shares if getvariable('asker') <> getvariable('me')

-- our shares of the scores, to who asks
CALL exchange_send(getvariable('asker'), 'lrh/scores', 'FROM lr_answers ORDER BY iteration');

-- part scores if getvariable('asker') = getvariable('me')
CREATE OR REPLACE TEMP TABLE lr_summed AS
    SELECT iteration, ring_add(z, theirs) AS z
    FROM lr_answers
    JOIN (SELECT iteration, ring_sum(z) AS theirs, count(*) AS shares
          FROM exchange_recv_all(getvariable('others'), 'lrh/scores', columns := 'iteration BIGINT, z UBIGINT[]') GROUP BY iteration)
        USING (iteration)
    WHERE require(shares = len(getvariable('parties')) - 1, 'each party has to send its share of each score once');
SELECT require(count(*) = getvariable('batches'), 'the other parties did not send their shares of all scores') FROM lr_summed;
SELECT require(getvariable('kind') = 'identity' OR (min(list_min(z)) > -16000 AND max(list_max(z)) < CASE getvariable('kind') WHEN 'exp' THEN 29 ELSE 16000 END),
               'a score is out of all proportion; are the columns of all parties in the units of the training?')
FROM (SELECT ring_decode(z, scale := 40) AS z FROM lr_summed);
CREATE OR REPLACE TABLE "${result}" AS
    SELECT id, pid, score
    FROM (SELECT row_number() OVER (ORDER BY iteration, i) AS row, score
          FROM (SELECT iteration, generate_subscripts(scores, 1) AS i, unnest(scores) AS score
                FROM (SELECT iteration, ring_decode(helper_activation(z, kind := getvariable('kind'), with_loss := false).value) AS scores
                      FROM lr_summed)))
    JOIN lr_names USING (row) ORDER BY id;
