-- scores: features and weights, masked, to the other parties
CALL exchange_send(getvariable('others'), 'lrh/open-x-' || getvariable('iteration'),
    $$ SELECT ring_sub(x, u) AS e, ring_sub(w, t) AS f FROM lr_batch, lr_deal, lr_weights $$);
CREATE OR REPLACE TEMP TABLE lr_open AS
    SELECT sender, position, e, f, start, width
    FROM exchange_recv_all(getvariable('others'), 'lrh/open-x-' || getvariable('iteration'), columns := 'e UBIGINT[], f UBIGINT[]')
    JOIN lr_parties ON party = sender;
SELECT require(count(*) = len(getvariable('parties')) - 1
               AND bool_and(len(e) = getvariable('size') * width AND len(f) = getvariable('total')),
               'a party''s masked features and weights do not have the size of the batch')
FROM lr_open;

-- scores: our shares
CREATE OR REPLACE TEMP TABLE lr_score AS
    SELECT ring_add(c, ring_add(
               ring_matvec(x, ring_add(w, (SELECT ring_sum(f) FROM lr_open))[getvariable('start') + 1 : getvariable('start') + getvariable('width')]),
               (SELECT ring_sum(ring_matvec(e, t[start + 1 : start + width])) FROM lr_open))) AS z
    FROM lr_batch, lr_deal, lr_weights;
