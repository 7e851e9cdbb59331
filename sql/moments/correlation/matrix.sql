-- the inverse roots of the variances of all columns; those that are not hidden are standardised over the common rows
SET VARIABLE bits_off = 30;
CREATE OR REPLACE TEMP TABLE correlation_roots AS
    SELECT place, CASE WHEN hidden THEN share ELSE round(getvariable('root') * 2.0::DOUBLE ** 30)::UHUGEINT END AS share
    FROM correlation_columns
    LEFT JOIN (SELECT generate_subscripts(shares, 1) AS place, unnest(shares) AS share FROM (SELECT wide_decode(y) AS shares FROM correlation_newton))
        USING (place);
CREATE OR REPLACE TEMP TABLE product_factors AS
    SELECT 1 AS part, (SELECT matrix FROM correlation_matrix) AS x, wide_encode(list(share ORDER BY pair)) AS y
    FROM correlation_pairs p JOIN correlation_roots r ON r.place = p.i;
-- include product.sql
CREATE OR REPLACE TEMP TABLE product_factors AS
    SELECT 1 AS part, (SELECT z FROM product_results) AS x, wide_encode(list(share ORDER BY pair)) AS y
    FROM correlation_pairs p JOIN correlation_roots r ON r.place = p.j;
-- include product.sql
CREATE OR REPLACE TEMP TABLE correlation_shares AS
    SELECT generate_subscripts(shares, 1) AS pair, (unnest(shares) % 1099511627776)::UBIGINT AS share
    FROM (SELECT wide_decode(wide_truncate(z, 20, getvariable('leads'))) AS shares FROM product_results);
