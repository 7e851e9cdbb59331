{{ config(materialized='table') }}
-- the clients of the bank's, with how their group does
SELECT duckpriv.psi_id(mail, 'email') AS mail, orders, balance_avg
FROM {{ ref('clients') }} JOIN {{ ref('matching') }} USING (mail) JOIN {{ ref('balances') }} USING (orders)
