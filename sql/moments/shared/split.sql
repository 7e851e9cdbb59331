-- sums of our own columns: a uniform share of each to the peer
CREATE OR REPLACE TEMP TABLE moments_own_split AS
    SELECT places, wide_split(totals) AS s
    FROM (SELECT list((row, "column") ORDER BY row, "column") AS places, list(total ORDER BY row, "column") AS totals
          FROM moments_own WHERE row <= "column");
CALL exchange_send(getvariable('peer'), 'moments/own', 'SELECT s.send AS share FROM moments_own_split');
INSERT INTO moments_block_shares
    SELECT place[1], place[2], share
    FROM (SELECT unnest(places) AS place, unnest(wide_decode(s.keep)) AS share FROM moments_own_split);
