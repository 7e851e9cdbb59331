-- part scores if getvariable('asker') = getvariable('me')
CREATE OR REPLACE TEMP TABLE lr_answers AS FROM exchange_recv(getvariable('helper'), 'lrh/scores', columns := 'iteration BIGINT, score UBIGINT[]');
SELECT require(is_numbered(iteration, getvariable('batches'))
               AND bool_and(len(score) = (iteration * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches')
                                         - ((iteration - 1) * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches')),
               'the helper did not answer each row of each batch once')
FROM lr_answers;
CREATE OR REPLACE TABLE "${result}" AS
    SELECT id, pid, score
    FROM (SELECT row_number() OVER (ORDER BY iteration, i) AS row, score
          FROM (SELECT iteration, generate_subscripts(scores, 1) AS i, unnest(scores) AS score
                FROM (SELECT iteration, ring_decode(ring_add(score, ring_random(getvariable('seed'), 'answer-' || iteration, len(score)))) AS scores
                      FROM lr_answers)))
    JOIN lr_names USING (row) ORDER BY id;
