CREATE OR REPLACE TEMP TABLE range_proof AS
    SELECT range_products(products, cts, rows, getvariable('challenge'), getvariable('range_key')) AS products
    FROM range_proof, (SELECT list(ct ORDER BY row) AS cts, list(row ORDER BY row) AS rows FROM range_rows);
