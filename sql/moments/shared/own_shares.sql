INSERT INTO moments_block_shares
    SELECT row, "column", share FROM moments_own_kept
    JOIN (SELECT i AS row, j AS "column", row_number() OVER (ORDER BY i, j) AS feature
          FROM range(getvariable('first'), getvariable('last') + 1) a(i), range(getvariable('first'), getvariable('last') + 1) b(j) WHERE i <= j)
        USING (feature);
