{{ config(materialized='table') }}
-- stands for a table that the shop has
SELECT 'User' || i || '@Example.com ' AS mail, i * 13 % 7 AS orders
FROM range(100, 400) t(i)
