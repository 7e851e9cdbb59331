-- `product_factors` (part, x, y): both less their masks, to the peer. From what both open, our shares of the products (Beaver 1991).
SET VARIABLE step = getvariable('step') + 1;
CREATE OR REPLACE TEMP TABLE product_masked AS
    SELECT t.part, u, t, product, wide_sub(x, u) AS d, wide_sub(y, t) AS f
    FROM product_triples t JOIN product_factors USING (part) WHERE step = getvariable('step');
CALL exchange_send(getvariable('peer'), 'correlation/opened-' || getvariable('step'), 'SELECT part, d, f FROM product_masked ORDER BY part');
CREATE OR REPLACE TEMP TABLE product_theirs AS
    FROM exchange_recv(getvariable('peer'), 'correlation/opened-' || getvariable('step'), columns := 'part BIGINT, d BLOB, f BLOB');
SELECT require((SELECT list(part ORDER BY part) FROM product_theirs) = (SELECT list(part ORDER BY part) FROM product_masked),
               'the peer has to open its parts of a step once');
CREATE OR REPLACE TEMP TABLE product_opened AS
    SELECT part, u, t, product, wide_add(own.d, theirs.d) AS d, wide_add(own.f, theirs.f) AS f
    FROM product_masked own JOIN product_theirs theirs USING (part);
CREATE OR REPLACE TEMP TABLE product_results AS
    SELECT part, wide_truncate(wide_add(wide_add(product, wide_mul(d, t)),
                                        wide_mul(f, CASE WHEN getvariable('leads') THEN wide_add(u, d) ELSE u END)),
                               getvariable('bits_off')::INTEGER, getvariable('leads')) AS z
    FROM product_opened;
