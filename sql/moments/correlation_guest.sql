-- Correlations of all columns of both parties over the common rows, and variance inflation factors, from joint moments: guest. The peer
-- runs moments/correlation_host. sql/moments/README.md says what each message reveals.
--
-- set peer                 the host's name
-- set moments = moments    the name of the moments, as moments/host and moments/guest had it as result
-- set reveal = both        who sees the matrix: host, guest, or both; the same at both, as are the following
-- set names = no           yes: both tell each other the names of their columns
-- set accept_disclosure = no  yes: compute them although they may tell the parties each other's rows
-- set bits = 3072          size of our Paillier key
-- set result = correlation  the name of the table with the correlations, in your current schema
--
-- next Who sees the matrix has it in ${result}; duckpriv report draws it. A model comes from the same moments with moments/regression_guest.

SET VARIABLE leads = false;
-- include correlation/settings.sql

-- our random numbers, encrypted, to the host; back come shares of what is missing of products
SET VARIABLE key = 'correlation-' || getvariable('session') || '-' || getvariable('me');
CALL paillier_keygen(getvariable('key'), bits := getvariable('bits'));
CALL exchange_send(getvariable('peer'), 'correlation/key', $$ SELECT paillier_public_key(getvariable('key')) AS key $$);
CALL exchange_send(getvariable('peer'), 'correlation/masks', $$
    SELECT step, part, wide_encrypt(u, getvariable('key'), getvariable('slot_bits')::INTEGER) AS us,
           wide_encrypt(t, getvariable('key'), getvariable('slot_bits')::INTEGER) AS ts
    FROM product_masks ORDER BY step, part $$);
CREATE OR REPLACE TEMP TABLE product_answers AS
    FROM exchange_recv(getvariable('peer'), 'correlation/products', columns := 'step BIGINT, part BIGINT, cts BLOB[]');
SELECT require(bool_and(he_layout(ct).masked), 'the host''s answers are not masked') FROM (SELECT unnest(cts) AS ct FROM product_answers);
CREATE OR REPLACE TEMP TABLE product_triples AS
    SELECT step, part, u, t, wide_add(wide_mul(u, t), paillier_decrypt_share_wide(cts, getvariable('key'))) AS product
    FROM product_answers JOIN product_masks USING (step, part);
SELECT require((SELECT list((step, part) ORDER BY step, part) FROM product_triples) = (SELECT list((step, part) ORDER BY step, part) FROM product_masks),
               'the host did not answer for each step once');
CALL key_forget(getvariable('key'));

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

-- part send if getvariable('reveal') IN ('host', 'both')

-- include correlation/send.sql

-- part result if getvariable('reveal') IN ('guest', 'both')

-- include correlation/result.sql

-- part end

-- include correlation/summary.sql
