-- For some rows: products of our own columns. They are multiplied by the peer's number that says whether it has the row: it stands for 2^-20, so
-- that products are exact with 40 bits behind the point.
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE moments_block AS
    SELECT row, flatten(list_transform(range(1, len(x) + 1), lambda i: list_transform(x[i:], lambda v: v * x[i] * 1048576))) AS x
    FROM moments_rows WHERE row > (getvariable('k') - 1) * getvariable('block') AND row <= getvariable('k') * getvariable('block');
