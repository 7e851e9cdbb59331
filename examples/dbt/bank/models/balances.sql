{{ config(materialized='table') }}
-- depends_on: {{ ref('customers') }}, {{ ref('matching') }}
-- How many customers bank and shop have in common, and their balances, by number of orders.
SELECT orders, rows AS customers, balance_sum, balance_avg, repaid_avg
FROM {{ source('private', 'by_orders') }}
WHERE NOT suppressed
