{{ config(materialized='table') }}
-- stands for a table that the bank has
SELECT 'user' || i || '@example.com' AS email, i * 37 % 101 AS balance, i * i % 7 > 2 AS repaid
FROM range(0, 200) t(i)
