-- summary
SELECT (SELECT any_value(rows) FROM used_columns) AS rows, (SELECT count(*) FROM correlation_columns) AS columns, exchange_bytes() AS bytes;
