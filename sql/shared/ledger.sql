-- the ledger of what was released
CREATE TABLE IF NOT EXISTS duckpriv_releases (
    number BIGINT PRIMARY KEY, released_at TIMESTAMP, session VARCHAR, script VARCHAR, peer VARCHAR, table_name VARCHAR,
    columns STRUCT(column_name VARCHAR, use VARCHAR)[], alignment VARCHAR, what VARCHAR, numbers BIGINT, minimum BIGINT, epsilon DOUBLE);
