-- part persons if getvariable('own_many')

-- Where ids repeat, the minimum is of persons: each counts once in a group of ours, and once in a total over them. For them ciphertexts are
-- added up once more, those of a person once.
CREATE OR REPLACE TEMP TABLE aggregate_placings AS
    SELECT row, unnest(CASE WHEN getvariable('persons_from') = 0 AND place <= getvariable('own_places') THEN [place, 0] ELSE [place] END) AS place, x, there
    FROM aggregate_summed;
CREATE OR REPLACE TEMP TABLE aggregate_persons AS SELECT DISTINCT row, place, there FROM aggregate_placings;
-- those with a number, by measure
CREATE OR REPLACE TEMP TABLE aggregate_persons_with AS
    SELECT DISTINCT row, place, measure, there
    FROM (SELECT row, place, there, generate_subscripts(x, 1) AS measure, unnest(x) AS number FROM aggregate_placings) WHERE number IS NOT NULL OR NOT there;
DROP TABLE aggregate_placings;

-- part persons-of-rows if getvariable('own_many') AND getvariable('with_measures')

CREATE OR REPLACE TEMP TABLE aggregate_person_zeros AS
    SELECT row, paillier_encrypt_measures(list_resize([]::BIGINT[], getvariable('e_measures')), 0, getvariable('e_places'), getvariable('peer_key'),
                                          bound := getvariable('number_bits'), slot_bits := getvariable('slot_bits')) AS ct
    FROM aggregate_summed WHERE NOT there;
CREATE OR REPLACE TEMP TABLE aggregate_person_sums AS
    SELECT place, he_sum(ct, getvariable('peer_key')) AS ct
    FROM (FROM exchange_recv(getvariable('peer'), 'aggregate/rows', columns := 'row BIGINT, ct BLOB') UNION ALL FROM aggregate_person_zeros)
    JOIN aggregate_persons USING (row) GROUP BY place;

-- part persons-of-places if getvariable('own_many') AND getvariable('with_places') AND NOT getvariable('with_measures')

CREATE OR REPLACE TEMP TABLE aggregate_person_sums AS
    SELECT place, he_sum(ct, getvariable('peer_key')) AS ct
    FROM (FROM exchange_recv(getvariable('peer'), 'aggregate/places', columns := 'row BIGINT, ct BLOB') UNION ALL FROM aggregate_zeros)
    JOIN aggregate_persons USING (row) GROUP BY place;

-- part persons-with if getvariable('own_many') AND getvariable('with_places') AND getvariable('s_measures') > 0

CREATE OR REPLACE TEMP TABLE aggregate_person_with_sums AS
    SELECT place, measure, he_sum(ct, getvariable('peer_key')) AS ct
    FROM (FROM exchange_recv(getvariable('peer'), 'aggregate/places', columns := 'row BIGINT, ct BLOB') UNION ALL FROM aggregate_zeros)
    JOIN aggregate_persons_with USING (row) GROUP BY place, measure;
CREATE OR REPLACE TEMP TABLE aggregate_person_split AS
    SELECT place, measure, he_share_split_wide(ct, getvariable('peer_key'), sigma := getvariable('sigma')::INTEGER) AS s
    FROM aggregate_person_with_sums WHERE place <= getvariable('own_places');
CALL exchange_send(getvariable('peer'), 'aggregate/persons-with', $$ SELECT place, measure, s.send AS ct FROM aggregate_person_split ORDER BY place, measure $$);
CREATE OR REPLACE TEMP TABLE aggregate_person_with_vectors AS SELECT place, measure, s.keep AS share FROM aggregate_person_split;

-- part person-masks if getvariable('own_many') AND (getvariable('with_measures') OR getvariable('with_places'))

CREATE OR REPLACE TEMP TABLE aggregate_person_split AS
    SELECT place, he_share_split_wide(ct, getvariable('peer_key'), sigma := getvariable('sigma')::INTEGER) AS s
    FROM aggregate_person_sums WHERE place <= getvariable('own_places');
CALL exchange_send(getvariable('peer'), 'aggregate/persons', $$ SELECT place, s.send AS ct FROM aggregate_person_split ORDER BY place $$);
CREATE OR REPLACE TEMP TABLE aggregate_person_vectors AS SELECT place, s.keep AS share FROM aggregate_person_split;

-- part clear-persons if getvariable('own_many') AND getvariable('in_the_clear')

INSERT INTO aggregate_parts
    SELECT 1, place, measure, 3, wide_element(persons)
    FROM (SELECT place, 0 AS measure, count(*) FILTER (there) AS persons FROM aggregate_persons WHERE NOT getvariable('with_measures') GROUP BY place
          UNION ALL
          SELECT place, getvariable('s_first') + measure, count(*) FILTER (there) FROM aggregate_persons_with GROUP BY place, measure);

-- part persons-there if getvariable('encrypts') AND getvariable('many') AND (getvariable('with_measures') OR getvariable('with_places'))

-- our shares of what the peer, who has several rows for an id, counts of persons
CREATE OR REPLACE TEMP TABLE aggregate_masked AS FROM exchange_recv(getvariable('peer'), 'aggregate/persons', columns := 'place BIGINT, ct BLOB');
SELECT require(is_numbered(place + 1 - getvariable('persons_from'), getvariable('s_places') + 1 - getvariable('persons_from')), 'the peer did not count persons of each of its groups once'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (0, getvariable('slot_bits'), getvariable('e_places') * getvariable('each'))),
               'the peer''s answers do not have the agreed slots')
FROM (SELECT place, he_layout(ct) AS l FROM aggregate_masked);
CREATE OR REPLACE TEMP TABLE aggregate_person_vectors AS SELECT place, paillier_decrypt_share_wide([ct], getvariable('key')) AS share FROM aggregate_masked;

-- part persons-with-there if getvariable('encrypts') AND getvariable('many') AND getvariable('with_places') AND getvariable('s_measures') > 0

CREATE OR REPLACE TEMP TABLE aggregate_masked AS FROM exchange_recv(getvariable('peer'), 'aggregate/persons-with', columns := 'place BIGINT, measure BIGINT, ct BLOB');
SELECT require(is_numbered((place - getvariable('persons_from')) * getvariable('s_measures') + measure, getvariable('s_measures') * (getvariable('s_places') + 1 - getvariable('persons_from')))
               AND bool_and(measure BETWEEN 1 AND getvariable('s_measures')), 'the peer did not count persons of each of its groups and measures once'),
       require(bool_and(l.masked AND (l.scale, l.slot_bits, l.count) = (0, getvariable('slot_bits'), getvariable('e_places'))),
               'the peer''s answers do not have the agreed slots')
FROM (SELECT place, measure, he_layout(ct) AS l FROM aggregate_masked);
CREATE OR REPLACE TEMP TABLE aggregate_person_with_vectors AS
    SELECT place, measure, paillier_decrypt_share_wide([ct], getvariable('key')) AS share FROM aggregate_masked;

-- part person-shares if getvariable('many') AND (getvariable('with_measures') OR getvariable('with_places'))

-- and of persons, of which only counts are used
INSERT INTO aggregate_parts
    SELECT CASE WHEN getvariable('host_encrypts') THEN e ELSE s END, CASE WHEN getvariable('host_encrypts') THEN s ELSE e END,
           CASE WHEN slot = 0 THEN 0 ELSE getvariable('e_first') + (slot + 2) // 3 END, 3, share
    FROM (SELECT place AS s, 1 + (nth - 1) // getvariable('each') AS e, (nth - 1) % getvariable('each') AS slot, share
          FROM (SELECT place, generate_subscripts(elements, 1) AS nth, unnest(elements) AS share
                FROM (SELECT place, wide_decode(share) AS elements FROM aggregate_person_vectors)))
    WHERE slot = 0 OR slot % 3 = 1;

-- part person-with-shares if getvariable('many') AND getvariable('with_places') AND getvariable('s_measures') > 0

INSERT INTO aggregate_parts
    SELECT CASE WHEN getvariable('host_encrypts') THEN e ELSE s END, CASE WHEN getvariable('host_encrypts') THEN s ELSE e END,
           getvariable('s_first') + measure, 3, share
    FROM (SELECT place AS s, measure, generate_subscripts(elements, 1) AS e, unnest(elements) AS share
          FROM (SELECT place, measure, wide_decode(share) AS elements FROM aggregate_person_with_vectors));
