-- Correlations of all columns of both parties over the common rows, and variance inflation factors, from joint moments: host. The peer
-- runs moments/correlation_guest. sql/moments/README.md says what each message reveals.
--
-- set peer                 the guest's name
-- set moments = moments    the name of the moments, as moments/host and moments/guest had it as result
-- set reveal = both        who sees the matrix: host, guest, or both; the same at both, as are the following
-- set names = no           yes: both tell each other the names of their columns
-- set accept_disclosure = no  yes: compute them although they may tell the parties each other's rows
-- set result = correlation  the name of the table with the correlations, in your current schema
--
-- next Who sees the matrix has it in ${result}; duckpriv report draws it. A model comes from the same moments with moments/regression_host.

SET VARIABLE leads = true;
-- include correlation/settings.sql

-- The guest's random numbers, encrypted, times ours, masked: shares of what is missing of products.
SET VARIABLE peer_key = 'correlation-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT key_import(getvariable('peer_key'), key, 'paillier') AS peer_key
FROM exchange_recv(getvariable('peer'), 'correlation/key', columns := 'key BLOB');
CREATE OR REPLACE TEMP TABLE product_encrypted AS
    FROM exchange_recv(getvariable('peer'), 'correlation/masks', columns := 'step BIGINT, part BIGINT, us BLOB[], ts BLOB[]');
SELECT require((SELECT list((step, part, len(us), len(ts)) ORDER BY step, part) FROM product_encrypted)
               = (SELECT list((step, part, size, size) ORDER BY step, part) FROM product_masks), 'the guest did not send masks for each step once');
SELECT require(bool_and((l.scale, l.bound, l.slot_bits, l.count) = (0, 128, getvariable('slot_bits'), 1)),
               'the guest''s ciphertexts do not have the agreed bound and slots')
FROM (SELECT he_layout(unnest(us || ts)) AS l FROM product_encrypted);
CREATE OR REPLACE TEMP TABLE product_split_up AS
    SELECT step, part, u, t, product_split(us, ts, u, t, getvariable('peer_key')) AS s
    FROM product_encrypted JOIN product_masks USING (step, part);
CALL exchange_send(getvariable('peer'), 'correlation/products', $$ SELECT step, part, s.send AS cts FROM product_split_up ORDER BY step, part $$);
CREATE OR REPLACE TEMP TABLE product_triples AS
    SELECT step, part, u, t, wide_add(wide_mul(u, t), s.keep) AS product FROM product_split_up;
DROP TABLE product_split_up;
DROP TABLE product_encrypted;
CALL key_forget(getvariable('peer_key'));

-- include correlation/centre.sql

-- part newton while getvariable('k') < getvariable('newton')

-- include correlation/newton.sql

-- part again

-- include correlation/again.sql

-- part newton-again while getvariable('k') < getvariable('newton_again')

-- include correlation/newton.sql

-- part matrix

-- include correlation/matrix.sql

-- part names if getvariable('names') = 'yes'

-- include correlation/names.sql

-- part send if getvariable('reveal') IN ('guest', 'both')

-- include correlation/send.sql

-- part result if getvariable('reveal') IN ('host', 'both')

-- include correlation/result.sql

-- part end

-- include correlation/summary.sql
