{{ config(materialized='table') }}
-- depends_on: {{ ref('clients') }}
-- The clients that the bank has too, each with a random id.
SELECT id AS mail, pid FROM {{ source('private', 'alignment') }}
