-- h = (3 - p) / 2, with 41 fractional bits; y and p times h and h²: Newton's method for 1 / sqrt(v), by which p grows to 1
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE product_factors AS
    SELECT unnest([{'part': 1, 'x': y, 'y': h}, {'part': 2, 'x': h, 'y': h}], recursive := true)
    FROM (SELECT y, wide_sub(three, p) AS h FROM correlation_newton);
-- include product.sql
CREATE OR REPLACE TEMP TABLE correlation_newton AS
    SELECT * REPLACE ((SELECT z FROM product_results WHERE part = 1) AS y), (SELECT z FROM product_results WHERE part = 2) AS square
    FROM correlation_newton;
CREATE OR REPLACE TEMP TABLE product_factors AS SELECT 1 AS part, p AS x, square AS y FROM correlation_newton;
-- include product.sql
CREATE OR REPLACE TEMP TABLE correlation_newton AS SELECT n.* EXCLUDE (square) REPLACE (z AS p) FROM correlation_newton n, product_results;
