-- p anew, without the floor
SET VARIABLE k = 0;
SET VARIABLE bits_off = 30;
CREATE OR REPLACE TEMP TABLE product_factors AS SELECT 1 AS part, variances AS x, y FROM correlation_newton;
-- include product.sql
CREATE OR REPLACE TEMP TABLE product_factors AS SELECT 1 AS part, z AS x, y FROM product_results, correlation_newton;
-- include product.sql
CREATE OR REPLACE TEMP TABLE correlation_newton AS SELECT n.* REPLACE (z AS p) FROM correlation_newton n, product_results;
SET VARIABLE bits_off = 41;
