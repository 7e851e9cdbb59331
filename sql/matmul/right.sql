-- Product of two private matrices, right: holds W; the peer runs matmul/left and holds X. Each ends
-- with an additive share of X·W. sql/matmul/README.md says what each message reveals.
--
-- set peer             the party with X
-- set table            your table or view, one row for each row of W, that is, column of X
-- set id               its id column; the rows are taken in its order, to meet X's columns
-- set columns =        the columns of W, with commas between; empty: all but the id
-- set list =           instead of columns: the name of one DOUBLE[] column
-- set scale = 20       fractional bits of every number at most, the same at both parties
-- set bound = 33       every |number * 2^scale| is below 2^bound, the same at both parties
-- set sigma = 64       a share is wrong with probability 2^-sigma, 40 at least, the same
-- set reveal = none    who sees the product: none, left, right or both; the same at both parties
-- set share_ids = no   yes: this party gets X's ids, no: row numbers only; the same at both
-- set bits = 3072      size of the Paillier key, if this party encrypts
-- set result = product  the name of the table with the product; our share goes into one of that name and _share
--
-- next Who sees the product has it in ${result}. Our share of it is in ${result}_share.

-- include shared/matrix.sql
-- W's rows belong to X's columns by their order
SELECT require(count(number) < count(*) OR coalesce(bool_and(row = place), true),
               'the ids are numbers written as text, and as text 10 comes before 2; cast that column to a number in a view, since the order of '
               || 'W''s rows is that of X''s columns')
FROM (SELECT row, number, row_number() OVER (ORDER BY number, row) AS place
      FROM (SELECT row, TRY_CAST(id::VARCHAR AS DOUBLE) AS number FROM matmul_rows));

-- what the owner of the table allows; a number of the product is of a single row
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(CASE WHEN getvariable('list') <> '' THEN [plain_name(getvariable('list'))]
                                              WHEN getvariable('columns') <> '' THEN split_names(getvariable('number_columns'))
                                              ELSE (SELECT list(column_name) FROM table_columns(getvariable('table'))
                                                    WHERE NOT list_contains(list_transform(split_names(getvariable('id_column')), lambda c: duckpriv_folded(c)),
                                                                            duckpriv_folded(column_name))) END, 'score'),
                       minimum: 1::BIGINT, epsilon: NULL::DOUBLE};
-- include ../shared/policy.sql

SET VARIABLE release = {what: CASE WHEN getvariable('reveal') IN ('left', 'both') THEN 'the product, ' ELSE '' END || 'how many rows and columns',
                        numbers: NULL::BIGINT, alignment: NULL::VARCHAR};
-- include ../shared/release.sql

-- the dimensions of both
CALL exchange_send(getvariable('peer'), 'matmul/right-shape',
    $$ SELECT count(*) AS rows, coalesce(max(len(x)), 0) AS columns FROM matmul_rows $$);
SELECT require(count(*) = 1 AND bool_and(rows BETWEEN 0 AND 2147483648 AND columns BETWEEN 0 AND 2147483648),
               'the peer''s matrix has more than 2^31 rows or columns')
FROM exchange_recv(getvariable('peer'), 'matmul/left-shape', columns := 'rows BIGINT, columns BIGINT');
SELECT require(count(*) > 0 AND max(len(x)) > 0, 'W has to have a row and a column at least') FROM matmul_rows;
CREATE OR REPLACE TEMP TABLE matmul_shape AS
    SELECT x.rows AS m, x.columns AS k, w_rows, n,
           -- whoever has fewer numbers encrypts
           m > 0 AND m * k < w_rows * n AS left_encrypts
    FROM (SELECT count(*) AS w_rows, coalesce(max(len(x)), 0) AS n FROM matmul_rows),
         exchange_recv(getvariable('peer'), 'matmul/left-shape', columns := 'rows BIGINT, columns BIGINT') x;
SET VARIABLE encrypts = (SELECT NOT left_encrypts FROM matmul_shape);
-- include shared/widths.sql

-- our key and our encrypted rows, if we encrypt; else messages without rows
SELECT * FROM paillier_keygen(getvariable('key'), bits := getvariable('bits')) WHERE getvariable('encrypts');
CALL exchange_send(getvariable('peer'), 'matmul/right-key',
    $$ SELECT paillier_public_key(getvariable('key')) AS key WHERE getvariable('encrypts') $$);
CALL exchange_send(getvariable('peer'), 'matmul/right-encrypted', $$
    SELECT row, paillier_encrypt_list(x, getvariable('key'), scale := getvariable('scale_used'),
               bound := getvariable('bound_used'), slot_bits := getvariable('slot_bits')) AS ct
    FROM matmul_rows WHERE getvariable('encrypts') $$);

-- the peer's, if it encrypts: our columns times its matrix, split into shares
SELECT key_import(getvariable('peer_key'), key, 'paillier') AS peer_key
FROM exchange_recv(getvariable('peer'), 'matmul/left-key', columns := 'key BLOB');
CREATE OR REPLACE TEMP TABLE matmul_encrypted AS
    FROM exchange_recv(getvariable('peer'), 'matmul/left-encrypted', columns := 'row BIGINT, ct BLOB');
SELECT require(is_numbered(row, CASE WHEN getvariable('encrypts') THEN 0 ELSE getvariable('terms') END),
               'the peer did not encrypt its matrix column by column'),
       require(coalesce(bool_and((l.scale, l.bound, l.slot_bits, l.count)
                                 = (getvariable('scale_used'), getvariable('bound_used'), getvariable('slot_bits'), getvariable('m'))), true),
               'the peer''s ciphertexts do not have the agreed scale, bound and slots')
FROM (SELECT row, he_layout(ct) AS l FROM matmul_encrypted);
CREATE OR REPLACE TEMP TABLE matmul_columns AS
    SELECT j AS row, list(x[j] ORDER BY row) AS x
    FROM matmul_rows, (SELECT unnest(range(1, n + 1)) AS j FROM matmul_shape)
    WHERE NOT getvariable('encrypts') GROUP BY j;
CREATE OR REPLACE TEMP TABLE matmul_split AS
    FROM he_matmul_split('matmul_columns', 'matmul_encrypted', getvariable('peer_key'), scale := getvariable('scale_used'),
                         bound := getvariable('bound_used'), sigma := getvariable('sigma')::INTEGER);
CALL exchange_send(getvariable('peer'), 'matmul/right-masked', $$ SELECT row, s.send AS ct FROM matmul_split $$);

-- our shares: the masks that we drew, column by column, or what we decrypt
CREATE OR REPLACE TEMP TABLE matmul_masked AS
    FROM exchange_recv(getvariable('peer'), 'matmul/left-masked', columns := 'row BIGINT, ct BLOB');
SELECT require(is_numbered(row, CASE WHEN getvariable('encrypts') THEN getvariable('m') ELSE 0 END)
               AND coalesce(bool_and(l.masked AND (l.slot_bits, l.count) = (getvariable('slot_bits'), getvariable('n'))), true),
               'the peer did not answer for each row of the product, masked')
FROM (SELECT row, he_layout(ct) AS l FROM matmul_masked);
CREATE OR REPLACE TEMP TABLE matmul_decrypted AS
    SELECT row, paillier_decrypt_share(ct, getvariable('key')) AS share FROM matmul_masked;
CREATE OR REPLACE TEMP TABLE matmul_share AS
    SELECT row, share FROM matmul_decrypted
    UNION ALL
    SELECT i AS row, list(s.keep[i] ORDER BY row) AS share
    FROM matmul_split, (SELECT unnest(range(1, m + 1)) AS i FROM matmul_shape WHERE left_encrypts) GROUP BY i;

-- our share, for a peer that is to see the product; else a message without rows
CALL exchange_send(getvariable('peer'), 'matmul/right-share',
    $$ SELECT row, share FROM matmul_share WHERE getvariable('reveal') IN ('left', 'both') ORDER BY row $$);

-- results: our share, with X's ids if we are to see them, and the product if we are to see it
CREATE OR REPLACE TEMP TABLE matmul_ids AS
    FROM exchange_recv(getvariable('peer'), 'matmul/ids', columns := 'row BIGINT, id VARCHAR');
SELECT require(is_numbered(row, CASE WHEN getvariable('share_ids') = 'yes' THEN getvariable('m') ELSE 0 END),
               'the peer did not send an id for each row')
FROM matmul_ids;
CREATE OR REPLACE TEMP TABLE matmul_theirs AS
    FROM exchange_recv(getvariable('peer'), 'matmul/left-share', columns := 'row BIGINT, share UBIGINT[]');
SELECT require(is_numbered(row, CASE WHEN getvariable('reveal') IN ('right', 'both') THEN getvariable('m') ELSE 0 END)
               AND coalesce(bool_and(len(share) = getvariable('n')), true),
               'the peer did not send its share of each row of the product')
FROM matmul_theirs;
CREATE OR REPLACE TABLE "${result}_share" AS
    SELECT coalesce(id, row::VARCHAR) AS id, share FROM matmul_share LEFT JOIN matmul_ids USING (row) ORDER BY row;
CREATE OR REPLACE TABLE "${result}" AS
    SELECT coalesce(id, row::VARCHAR) AS id, list_transform(range(1, len(a.share) + 1), lambda j:
               share_reveal(a.share[j], b.share[j], scale := 2 * getvariable('scale_used'))) AS value
    FROM matmul_share a LEFT JOIN matmul_ids USING (row)
    JOIN matmul_theirs b USING (row)
    ORDER BY row;

-- summary
SELECT m AS rows, n AS columns, k AS terms, CASE WHEN left_encrypts THEN 'left' ELSE 'right' END AS encrypted,
       getvariable('scale_used') AS scale,
       (SELECT count(*) FROM "${result}") AS revealed FROM matmul_shape;
