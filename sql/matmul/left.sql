-- Product of two private matrices, left: holds X; the peer runs matmul/right and holds W. Each ends
-- with an additive share of X·W. sql/matmul/README.md says what each message reveals.
--
-- set peer             the party with W
-- set table            your table or view, one row for each row of X
-- set id               its id column; the rows are taken in its order
-- set columns =        the columns of X, with commas between; empty: all but the id
-- set list =           instead of columns: the name of one DOUBLE[] column
-- set scale = 20       fractional bits of every number at most, the same at both parties
-- set bound = 33       every |number * 2^scale| is below 2^bound, the same at both parties
-- set sigma = 64       a share is wrong with probability 2^-sigma, 40 at least, the same
-- set reveal = none    who sees the product: none, left, right or both; the same at both parties
-- set share_ids = no   yes: the peer gets the ids, no: row numbers only; the same at both parties
-- set bits = 3072      size of the Paillier key, if this party encrypts
-- set result = product  the name of the table with the product; our share goes into one of that name and _share
--
-- next Who sees the product has it in ${result}. Our share of it is in ${result}_share.

-- include shared/matrix.sql

-- what the owner of the table allows; a number of the product is of a single row
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(CASE WHEN getvariable('list') <> '' THEN [plain_name(getvariable('list'))]
                                              WHEN getvariable('columns') <> '' THEN split_names(getvariable('number_columns'))
                                              ELSE (SELECT list(column_name) FROM table_columns(getvariable('table'))
                                                    WHERE NOT list_contains(list_transform(split_names(getvariable('id_column')), lambda c: duckpriv_folded(c)),
                                                                            duckpriv_folded(column_name))) END, 'score')
                             || policy_uses(CASE getvariable('share_ids') WHEN 'yes' THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

SET VARIABLE release = {what: CASE WHEN getvariable('reveal') IN ('right', 'both') THEN 'the product, ' ELSE '' END || 'how many rows and columns' || CASE getvariable('share_ids') WHEN 'yes' THEN ', ids' ELSE '' END,
                        numbers: NULL::BIGINT, alignment: NULL::VARCHAR};
-- include ../shared/release.sql

-- the dimensions of both
CALL exchange_send(getvariable('peer'), 'matmul/left-shape',
    $$ SELECT count(*) AS rows, coalesce(max(len(x)), 0) AS columns FROM matmul_rows $$);
SELECT require(count(*) = 1 AND bool_and(rows > 0 AND columns > 0), 'the peer''s matrix is empty'),
       require(bool_and(rows <= 2147483648 AND columns <= 2147483648), 'the peer''s matrix has more than 2^31 rows or columns')
FROM exchange_recv(getvariable('peer'), 'matmul/right-shape', columns := 'rows BIGINT, columns BIGINT');
CREATE OR REPLACE TEMP TABLE matmul_shape AS
    SELECT m, k, w.rows AS w_rows, w.columns AS n,
           -- whoever has fewer numbers encrypts
           m > 0 AND m * k < w.rows * w.columns AS left_encrypts
    FROM (SELECT count(*) AS m, coalesce(max(len(x)), 0) AS k FROM matmul_rows),
         exchange_recv(getvariable('peer'), 'matmul/right-shape', columns := 'rows BIGINT, columns BIGINT') w;
SET VARIABLE encrypts = (SELECT left_encrypts FROM matmul_shape);
-- include shared/widths.sql

-- our key and our encrypted columns, if we encrypt; else messages without rows
SELECT * FROM paillier_keygen(getvariable('key'), bits := getvariable('bits')) WHERE getvariable('encrypts');
CALL exchange_send(getvariable('peer'), 'matmul/left-key',
    $$ SELECT paillier_public_key(getvariable('key')) AS key WHERE getvariable('encrypts') $$);
CREATE OR REPLACE TEMP TABLE matmul_columns AS
    SELECT j AS row, list(x[j] ORDER BY row) AS x
    FROM matmul_rows, (SELECT unnest(range(1, k + 1)) AS j FROM matmul_shape)
    WHERE getvariable('encrypts') GROUP BY j;
CALL exchange_send(getvariable('peer'), 'matmul/left-encrypted', $$
    SELECT row, paillier_encrypt_list(x, getvariable('key'), scale := getvariable('scale_used'),
               bound := getvariable('bound_used'), slot_bits := getvariable('slot_bits')) AS ct
    FROM matmul_columns $$);

-- the peer's, if it encrypts: our rows times its matrix, split into shares
SELECT key_import(getvariable('peer_key'), key, 'paillier') AS peer_key
FROM exchange_recv(getvariable('peer'), 'matmul/right-key', columns := 'key BLOB');
CREATE OR REPLACE TEMP TABLE matmul_encrypted AS
    FROM exchange_recv(getvariable('peer'), 'matmul/right-encrypted', columns := 'row BIGINT, ct BLOB');
SELECT require(is_numbered(row, CASE WHEN getvariable('encrypts') THEN 0 ELSE getvariable('terms') END),
               'the peer did not encrypt its matrix row by row'),
       require(coalesce(bool_and((l.scale, l.bound, l.slot_bits, l.count)
                                 = (getvariable('scale_used'), getvariable('bound_used'), getvariable('slot_bits'), getvariable('n'))), true),
               'the peer''s ciphertexts do not have the agreed scale, bound and slots')
FROM (SELECT row, he_layout(ct) AS l FROM matmul_encrypted);
CREATE OR REPLACE TEMP TABLE matmul_split AS
    FROM he_matmul_split('matmul_rows', 'matmul_encrypted', getvariable('peer_key'), scale := getvariable('scale_used'),
                         bound := getvariable('bound_used'), sigma := getvariable('sigma')::INTEGER)
    WHERE NOT getvariable('encrypts');
CALL exchange_send(getvariable('peer'), 'matmul/left-masked', $$ SELECT row, s.send AS ct FROM matmul_split $$);

-- our shares: the masks that we drew, or what we decrypt, column by column
CREATE OR REPLACE TEMP TABLE matmul_masked AS
    FROM exchange_recv(getvariable('peer'), 'matmul/right-masked', columns := 'row BIGINT, ct BLOB');
SELECT require(is_numbered(row, CASE WHEN getvariable('encrypts') THEN getvariable('n') ELSE 0 END)
               AND coalesce(bool_and(l.masked AND (l.slot_bits, l.count) = (getvariable('slot_bits'), getvariable('m'))), true),
               'the peer did not answer for each column of the product, masked')
FROM (SELECT row, he_layout(ct) AS l FROM matmul_masked);
CREATE OR REPLACE TEMP TABLE matmul_decrypted AS
    SELECT row, paillier_decrypt_share(ct, getvariable('key')) AS share FROM matmul_masked;
CREATE OR REPLACE TEMP TABLE matmul_share AS
    SELECT row, s.keep AS share FROM matmul_split
    UNION ALL
    SELECT i AS row, list(share[i] ORDER BY row) AS share
    FROM matmul_decrypted, (SELECT unnest(range(1, m + 1)) AS i FROM matmul_shape) GROUP BY i;

-- the ids, and our share, for a peer that is to see them; else messages without rows
CALL exchange_send(getvariable('peer'), 'matmul/ids',
    $$ SELECT row, id::VARCHAR AS id FROM matmul_rows WHERE getvariable('share_ids') = 'yes' $$);
CALL exchange_send(getvariable('peer'), 'matmul/left-share',
    $$ SELECT row, share FROM matmul_share WHERE getvariable('reveal') IN ('right', 'both') ORDER BY row $$);

-- results: our share, and the product if we are to see it
CREATE OR REPLACE TEMP TABLE matmul_theirs AS
    FROM exchange_recv(getvariable('peer'), 'matmul/right-share', columns := 'row BIGINT, share UBIGINT[]');
SELECT require(is_numbered(row, CASE WHEN getvariable('reveal') IN ('left', 'both') THEN getvariable('m') ELSE 0 END)
               AND coalesce(bool_and(len(share) = getvariable('n')), true),
               'the peer did not send its share of each row of the product')
FROM matmul_theirs;
CREATE OR REPLACE TABLE "${result}_share" AS
    SELECT id, share FROM matmul_share JOIN matmul_rows USING (row) ORDER BY row;
CREATE OR REPLACE TABLE "${result}" AS
    SELECT id, list_transform(range(1, len(a.share) + 1), lambda j:
               share_reveal(a.share[j], b.share[j], scale := 2 * getvariable('scale_used'))) AS value
    FROM matmul_share a JOIN matmul_rows USING (row)
    JOIN matmul_theirs b USING (row)
    ORDER BY row;

-- summary
SELECT m AS rows, n AS columns, k AS terms, CASE WHEN left_encrypts THEN 'left' ELSE 'right' END AS encrypted,
       getvariable('scale_used') AS scale,
       (SELECT count(*) FROM "${result}") AS revealed FROM matmul_shape;
