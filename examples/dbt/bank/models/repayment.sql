-- the groups in which fewer than half repay
SELECT orders, customers, round(100 * repaid_avg) AS repaid_percent
FROM {{ ref('balances') }}
WHERE repaid_avg < 0.5
