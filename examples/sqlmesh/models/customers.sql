MODEL (name crm.customers, kind FULL);

-- stands for a table that the bank has
SELECT 'user' || i || '@example.com' AS email, i * 37 % 101 AS balance
FROM range(0, 200) t(i)
