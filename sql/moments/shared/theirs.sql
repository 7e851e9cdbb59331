-- sums of the peer's own columns: our share of each
INSERT INTO moments_block_shares
    SELECT row, "column", share
    FROM (SELECT row_number() OVER () AS place, share
          FROM (SELECT unnest(wide_decode(share)) AS share
                FROM exchange_recv(getvariable('peer'), 'moments/own', columns := 'share BLOB')))
    JOIN (SELECT i AS row, j AS "column", row_number() OVER (ORDER BY i, j) AS place
          FROM range(getvariable('first'), getvariable('last') + 1) a(i), range(getvariable('first'), getvariable('last') + 1) b(j) WHERE i <= j)
        USING (place);
