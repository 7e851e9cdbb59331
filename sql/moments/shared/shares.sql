-- Columns: ours and the guest's, of all rows and columns of the matrix. The host's own come in the order of their products, where
-- not all rows are common.
CREATE OR REPLACE TEMP TABLE moments_pairs AS
    SELECT i AS row, j AS "column", getvariable('width') + row_number() OVER (ORDER BY i, j) AS feature, 1 AS slot
    FROM range(1, getvariable('width') + 1) a(i), range(1, getvariable('width') + 1) b(j) WHERE j >= i;
CREATE OR REPLACE TEMP TABLE moments_half AS
    SELECT row, "column", share FROM moments_pairs JOIN moments_kept USING (feature, slot) WHERE getvariable('id') = ''
    UNION ALL
    SELECT feature, getvariable('width') + slot - 1, share FROM moments_kept WHERE feature <= getvariable('width') AND slot > 1
    UNION ALL
    SELECT row, "column", share FROM moments_block_shares;
SELECT require(count(*) = (getvariable('width') + getvariable('peer_width')) * (getvariable('width') + getvariable('peer_width') + 1) // 2
               AND count(DISTINCT (row, "column")) = count(*), 'the peer''s shares are not those of the agreed columns')
FROM moments_half;
CREATE OR REPLACE TABLE "${result}_share" AS
    SELECT i AS row, j AS "column", share
    FROM range(1, getvariable('width') + getvariable('peer_width') + 1) a(i), range(1, getvariable('width') + getvariable('peer_width') + 1) b(j)
    JOIN moments_half h ON h.row = least(i, j) AND h."column" = greatest(i, j)
    ORDER BY i, j;
