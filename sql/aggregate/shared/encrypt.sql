-- part key if getvariable('encrypts') AND (getvariable('with_measures') OR getvariable('with_places'))

SET VARIABLE key = 'aggregate-' || getvariable('session') || '-' || getvariable('me');
CALL paillier_keygen(getvariable('key'), bits := getvariable('bits'));
CALL exchange_send(getvariable('peer'), 'aggregate/key', $$ SELECT paillier_public_key(getvariable('key')) AS key $$);

-- part rows if getvariable('encrypts') AND getvariable('with_measures')

-- each row in the slots of its group: 1, and of each measure whether there is one, the number, and its square
CALL exchange_send(getvariable('peer'), 'aggregate/rows', $$
    SELECT row, paillier_encrypt_measures(x, slots, getvariable('e_places'), getvariable('key'), bound := getvariable('number_bits'),
                                          slot_bits := getvariable('slot_bits')) AS ct
    FROM (SELECT row, x, CASE WHEN place <= getvariable('e_places') THEN place ELSE 0 END AS slots FROM aggregate_rows) ORDER BY row $$);

-- part places if getvariable('encrypts') AND getvariable('with_places')

-- each row in the slot of its group: 1
CALL exchange_send(getvariable('peer'), 'aggregate/places', $$
    SELECT row, paillier_encrypt_measures([]::BIGINT[], slots, getvariable('e_places'), getvariable('key'), bound := getvariable('number_bits'),
                                          slot_bits := getvariable('slot_bits')) AS ct
    FROM (SELECT row, x, CASE WHEN place <= getvariable('e_places') THEN place ELSE 0 END AS slots FROM aggregate_rows) ORDER BY row $$);

-- part masked if getvariable('encrypts') AND (getvariable('with_measures') OR getvariable('with_places'))

-- our shares of the sums, which are masked
CREATE OR REPLACE TEMP TABLE aggregate_masked AS FROM exchange_recv(getvariable('peer'), 'aggregate/masked', columns := 'place BIGINT, ct BLOB');
SELECT require(is_numbered(place, getvariable('s_places')), 'the peer did not answer for each of its groups once'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (0, getvariable('slot_bits'), getvariable('e_places') * getvariable('each'))),
               'the peer''s answers do not have the agreed slots')
FROM (SELECT place, he_layout(ct) AS l FROM aggregate_masked);
CREATE OR REPLACE TEMP TABLE aggregate_vectors AS SELECT place, paillier_decrypt_share_wide([ct], getvariable('key')) AS share FROM aggregate_masked;

-- part weighted if getvariable('encrypts') AND getvariable('with_places') AND getvariable('s_measures') > 0

-- and those of the peer's measures
CREATE OR REPLACE TEMP TABLE aggregate_masked AS FROM exchange_recv(getvariable('peer'), 'aggregate/weighted', columns := 'place BIGINT, feature BIGINT, ct BLOB');
SELECT require(is_numbered((place - 1) * 4 * getvariable('s_measures') + feature, 4 * getvariable('s_measures') * getvariable('s_places'))
               AND bool_and(feature BETWEEN 1 AND 4 * getvariable('s_measures')), 'the peer did not answer for each of its groups and measures once'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (0, getvariable('slot_bits'), getvariable('e_places'))),
               'the peer''s answers do not have the agreed slots')
FROM (SELECT place, feature, he_layout(ct) AS l FROM aggregate_masked);
CREATE OR REPLACE TEMP TABLE aggregate_weighted_vectors AS
    SELECT place, feature, paillier_decrypt_share_wide([ct], getvariable('key')) AS share FROM aggregate_masked;
