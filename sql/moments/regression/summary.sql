-- summary
SELECT getvariable('kind') AS kind, (SELECT any_value(rows) FROM used_columns) AS rows, getvariable('size') - 1 AS features, count(*) AS steps,
       round(sum(seconds), 1) AS seconds, sum(bytes)::BIGINT AS bytes
FROM "${log}";
