{{ config(materialized='table') }}
-- depends_on: {{ ref('customers') }}
-- Every customer with a random id that the shop has too. The bank cannot tell which the shop has.
SELECT id AS email, pid FROM {{ source('private', 'alignment') }}
