-- a seed with each party: our part, and a commitment to it
SET VARIABLE batch_seed = NULL;
SET VARIABLE part = 'lrh-part-' || getvariable('session') || '-' || getvariable('me');
CALL seed_keygen(getvariable('part'));
CALL exchange_send(getvariable('everybody'), 'lrh/commitment', $$ SELECT seed_commitment(getvariable('part')) AS commitment $$);

-- our part, once all have committed themselves
CREATE OR REPLACE TEMP TABLE lr_commitments AS
    FROM exchange_recv_all(getvariable('everybody'), 'lrh/commitment', columns := 'commitment BLOB');
SELECT require(count(*) = len(getvariable('parties')) AND count(DISTINCT sender) = count(*), 'each party has to send one commitment')
FROM lr_commitments;
CALL exchange_send(getvariable('everybody'), 'lrh/part', $$ SELECT seed_part(getvariable('part')) AS part $$);

-- the seeds
CREATE OR REPLACE TEMP TABLE lr_seeds AS
    SELECT sender AS party, agreed_seed('lrh-seed-' || getvariable('session') || '-' || sender, getvariable('part'),
                                        'lrh-part-' || getvariable('session') || '-' || sender, commitment, p.part) AS seed
    FROM exchange_recv_all(getvariable('everybody'), 'lrh/part', columns := 'part BLOB') p JOIN lr_commitments USING (sender);
SELECT require(count(*) = len(getvariable('parties')), 'each party has to send one part of a seed') FROM lr_seeds;
