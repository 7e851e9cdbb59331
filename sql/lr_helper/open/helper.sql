-- random numbers of this step, as each party has them
SET VARIABLE iteration = getvariable('iteration') + 1;
SET VARIABLE number = (getvariable('iteration') - 1) % getvariable('batches');
SET VARIABLE size = ((getvariable('number') + 1) * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches')
    - (getvariable('number') * getvariable('rows') + getvariable('batches') - 1) // getvariable('batches');
CREATE OR REPLACE TEMP TABLE lr_random AS
    SELECT party, position, start, width, party = getvariable('host') AS corrected,
           ring_random(seed, step || '-u', size * width) AS u, ring_random(seed, step || '-t', total) AS t,
           ring_random(seed, step || '-c', size) AS c, ring_random(seed, step || '-a', 3 * size) AS a,
           ring_random(seed, step || '-b', 3 * size) AS b, ring_random(seed, step || '-ab', 3 * size) AS ab,
           ring_random(seed, step || '-t2', size) AS t2, ring_random(seed, step || '-c2', total) AS c2,
           ring_random(seed, step || '-r1', total) AS r1, ring_random(seed, step || '-s1', total) AS s1,
           ring_random(seed, step || '-p1', total) AS p1, ring_random(seed, step || '-r2', total) AS r2,
           ring_random(seed, step || '-s2', total) AS s2, ring_random(seed, step || '-p2', total) AS p2,
           ring_random(seed, step || '-value', size) AS value, ring_random(seed, step || '-loss', size) AS loss,
           ring_random(seed, step || '-score', size) AS score
    FROM lr_parties, (SELECT 'step-' || getvariable('iteration') AS step, getvariable('size') AS size, getvariable('total') AS total);

-- the host's shares: what makes the sums right
CREATE OR REPLACE TEMP TABLE lr_sums AS
    SELECT ring_sum(t) AS t, ring_sum(t2) AS t2, ring_mul(ring_sum(a), ring_sum(b)) AS ab, ring_sum(r1) AS r1, ring_sum(r2) AS r2
    FROM lr_random;
CALL exchange_send(getvariable('host'), 'lrh/deal-' || getvariable('iteration'), $$
    SELECT ring_sub(ring_sum(ring_matvec(u, ring_sub(sums.t, r.t)[start + 1 : start + width])), ring_sum(CASE WHEN NOT corrected THEN c END)) AS c,
           ring_sub(any_value(sums.ab), ring_sum(CASE WHEN NOT corrected THEN r.ab END)) AS ab,
           ring_sub(flatten(list(ring_vecmat(ring_sub(sums.t2, r.t2), u) ORDER BY position)), ring_sum(CASE WHEN NOT corrected THEN c2 END)) AS c2,
           ring_sub(ring_shift(any_value(sums.r1), 20), ring_sum(CASE WHEN NOT corrected THEN s1 END)) AS s1,
           ring_sub(ring_shift(any_value(sums.r1), 63), ring_sum(CASE WHEN NOT corrected THEN p1 END)) AS p1,
           ring_sub(ring_shift(any_value(sums.r2), 30), ring_sum(CASE WHEN NOT corrected THEN s2 END)) AS s2,
           ring_sub(ring_shift(any_value(sums.r2), 63), ring_sum(CASE WHEN NOT corrected THEN p2 END)) AS p2
    FROM lr_random r, lr_sums sums $$);

-- scores: add the shares, apply the activation, and share the result again
CREATE OR REPLACE TEMP TABLE lr_scores AS
    FROM exchange_recv_all(getvariable('everybody'), 'lrh/score-' || getvariable('iteration'), columns := 'z UBIGINT[]');
SELECT require(count(*) = len(getvariable('parties')) AND bool_and(len(z) = getvariable('size')),
               'a party''s scores are not those of a batch')
FROM lr_scores;
-- 64 bits hold scores below 2^23, and a larger one looks like any other: so scores have to stay far from that
SELECT require(getvariable('kind') = 'identity' OR list_max(list_transform(z, lambda score: abs(score))) < 1024,
               'the training diverges, or a row is far from all others: a score passes 1024. Start again with a smaller learning_rate, '
               || 'or take the logarithm of columns with few large numbers')
FROM (SELECT ring_decode(ring_sum(z), scale := 40) AS z FROM lr_scores);
CREATE OR REPLACE TEMP TABLE lr_active AS
    SELECT helper_activation(ring_sum(z), kind := getvariable('kind')) AS a FROM lr_scores;
SELECT require(getvariable('kind') = 'logistic'
               OR list_max(list_transform(ring_decode(a.value), lambda number: abs(number))) < getvariable('most'),
               'the training diverges, or the label is too large: a prediction passes ' || round(getvariable('most'), 3)
               || ', with which sums over a batch fit into 64 bits. Start again with a smaller learning_rate, divide the label, or take '
               || 'the logarithm of columns with few large numbers')
FROM lr_active;
CALL exchange_send(getvariable('host'), 'lrh/activated-' || getvariable('iteration'), $$
    SELECT ring_sub(a.value, (SELECT ring_sum(value) FROM lr_random WHERE NOT corrected)) AS value,
           ring_sub(a.loss, (SELECT ring_sum(loss) FROM lr_random WHERE NOT corrected)) AS loss,
           ring_sub(a.score, (SELECT ring_sum(score) FROM lr_random WHERE NOT corrected)) AS score
    FROM lr_active $$);
