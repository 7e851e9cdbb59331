-- part sum-key if NOT getvariable('encrypts') AND (getvariable('with_measures') OR getvariable('with_places'))

SET VARIABLE peer_key = 'aggregate-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT key_import(getvariable('peer_key'), key, 'paillier') AS peer_key FROM exchange_recv(getvariable('peer'), 'aggregate/key', columns := 'key BLOB');

-- part sum

-- our rows, and one without a number for each of our groups and for the rows that we lack: so each has a sum
CREATE OR REPLACE TEMP TABLE aggregate_summed AS
    SELECT row, place, x, true AS there FROM aggregate_rows
    UNION ALL
    SELECT getvariable('rows') + place, place, list_resize([]::BIGINT[], len(getvariable('own_measures'))), false FROM range(1, getvariable('own_places') + 2) t(place);

-- part sum-rows if NOT getvariable('encrypts') AND getvariable('with_measures')

-- the sums of the peer's rows by our groups
SELECT require(is_numbered(row, getvariable('rows')), 'the peer did not encrypt each row once'),
       require(bool_and(NOT l.masked AND (l.scale, l.bound, l.slot_bits, l.count)
                                         = (0, 2 * getvariable('number_bits'), getvariable('slot_bits'), getvariable('e_places') * getvariable('each'))),
               'the peer''s rows are not encrypted as agreed')
FROM (SELECT row, he_layout(ct) AS l FROM exchange_recv(getvariable('peer'), 'aggregate/rows', columns := 'row BIGINT, ct BLOB'));
-- all of them once, so that a row that is no ciphertext ends this at the same time in whichever group it is
SELECT he_sum(ct, getvariable('peer_key')) IS NOT NULL AS valid FROM exchange_recv(getvariable('peer'), 'aggregate/rows', columns := 'row BIGINT, ct BLOB');
CREATE OR REPLACE TEMP TABLE aggregate_zeros AS
    SELECT row, paillier_encrypt_measures(list_resize([]::BIGINT[], getvariable('e_measures')), 0, getvariable('e_places'), getvariable('peer_key'),
                                          bound := getvariable('number_bits'), slot_bits := getvariable('slot_bits')) AS ct
    FROM aggregate_summed WHERE NOT there;
CREATE OR REPLACE TEMP TABLE aggregate_sums AS
    SELECT place, he_sum(ct, getvariable('peer_key')) AS ct
    FROM (FROM exchange_recv(getvariable('peer'), 'aggregate/rows', columns := 'row BIGINT, ct BLOB') UNION ALL FROM aggregate_zeros)
    JOIN aggregate_summed USING (row) GROUP BY place;

-- part sum-places if NOT getvariable('encrypts') AND getvariable('with_places')

SELECT require(is_numbered(row, getvariable('rows')), 'the peer did not encrypt each row once'),
       require(bool_and(NOT l.masked AND (l.scale, l.bound, l.slot_bits, l.count) = (0, 1, getvariable('slot_bits'), getvariable('e_places'))),
               'the peer''s rows are not encrypted as agreed')
FROM (SELECT row, he_layout(ct) AS l FROM exchange_recv(getvariable('peer'), 'aggregate/places', columns := 'row BIGINT, ct BLOB'));
SELECT he_sum(ct, getvariable('peer_key')) IS NOT NULL AS valid FROM exchange_recv(getvariable('peer'), 'aggregate/places', columns := 'row BIGINT, ct BLOB');
CREATE OR REPLACE TEMP TABLE aggregate_zeros AS
    SELECT row, paillier_encrypt_measures([]::BIGINT[], 0, getvariable('e_places'), getvariable('peer_key'),
                                          bound := getvariable('number_bits'), slot_bits := getvariable('slot_bits')) AS ct
    FROM aggregate_summed WHERE NOT there;
CREATE OR REPLACE TEMP TABLE aggregate_weighted (place BIGINT, feature BIGINT, ct BLOB);

-- part count-places if NOT getvariable('encrypts') AND getvariable('with_places') AND NOT getvariable('with_measures')

-- how many of the peer's rows are in our groups
CREATE OR REPLACE TEMP TABLE aggregate_sums AS
    SELECT place, he_sum(ct, getvariable('peer_key')) AS ct
    FROM (FROM exchange_recv(getvariable('peer'), 'aggregate/places', columns := 'row BIGINT, ct BLOB') UNION ALL FROM aggregate_zeros)
    JOIN aggregate_summed USING (row) GROUP BY place;

-- part masks if NOT getvariable('encrypts') AND (getvariable('with_measures') OR getvariable('with_places'))

-- split into shares: what goes back is masked
CREATE OR REPLACE TEMP TABLE aggregate_split AS
    SELECT place, he_share_split_wide(ct, getvariable('peer_key'), sigma := getvariable('sigma')::INTEGER) AS s
    FROM aggregate_sums WHERE place <= getvariable('own_places');
CALL exchange_send(getvariable('peer'), 'aggregate/masked', $$ SELECT place, s.send AS ct FROM aggregate_split ORDER BY place $$);
CREATE OR REPLACE TEMP TABLE aggregate_vectors AS SELECT place, s.keep AS share FROM aggregate_split;

-- part weigh while NOT getvariable('encrypts') AND getvariable('with_places') AND getvariable('s_measures') > 0 AND getvariable('k') * getvariable('chunk') < getvariable('rows')

-- Sums of our measures, times whether the peer has the row in its group: of whether there is a number, of the number, and of its square
-- in two halves.
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE aggregate_encrypted AS
    SELECT row, ct FROM exchange_recv(getvariable('peer'), 'aggregate/places', columns := 'row BIGINT, ct BLOB')
    WHERE row > (getvariable('k') - 1) * getvariable('chunk') AND row <= getvariable('k') * getvariable('chunk')
    UNION ALL FROM aggregate_zeros;
CREATE OR REPLACE TEMP TABLE aggregate_weights AS
    SELECT row, place, flatten(list_transform(x, lambda v: CASE WHEN v IS NULL THEN [0.0::DOUBLE, 0, 0, 0] ELSE
        [1.0::DOUBLE, v, (v::HUGEINT * v % 1099511627776)::DOUBLE, (v::HUGEINT * v // 1099511627776)::DOUBLE] END)) AS x
    FROM aggregate_summed WHERE NOT there OR row > (getvariable('k') - 1) * getvariable('chunk') AND row <= getvariable('k') * getvariable('chunk');
INSERT INTO aggregate_weighted
    FROM he_weighted_sums_by('aggregate_encrypted', 'aggregate_weights', getvariable('peer_key'));

-- part weighted-masks if NOT getvariable('encrypts') AND getvariable('with_places') AND getvariable('s_measures') > 0

CREATE OR REPLACE TEMP TABLE aggregate_split AS
    SELECT place, feature, he_share_split_wide(he_sum(ct, getvariable('peer_key')), getvariable('peer_key'), sigma := getvariable('sigma')::INTEGER) AS s
    FROM aggregate_weighted WHERE place <= getvariable('own_places') GROUP BY place, feature;
CALL exchange_send(getvariable('peer'), 'aggregate/weighted', $$ SELECT place, feature, s.send AS ct FROM aggregate_split ORDER BY place, feature $$);
CREATE OR REPLACE TEMP TABLE aggregate_weighted_vectors AS SELECT place, feature, s.keep AS share FROM aggregate_split;

-- part clear if NOT getvariable('encrypts') AND getvariable('in_the_clear')

-- our own sums: the peer has nothing to add
INSERT INTO aggregate_parts
    WITH numbers AS (SELECT place, generate_subscripts(x, 1) AS measure, unnest(x) AS v FROM aggregate_summed),
         sums AS (SELECT place, 0 AS measure, 0 AS what, count(*) FILTER (there)::HUGEINT AS total FROM aggregate_summed WHERE NOT getvariable('with_measures') GROUP BY place
                  UNION ALL
                  SELECT place, getvariable('s_first') + measure, what, [count(v)::HUGEINT, coalesce(sum(v), 0), coalesce(sum(v::HUGEINT * v), 0)][what + 1]
                  FROM numbers, range(3) t(what) GROUP BY place, measure, what)
    SELECT 1, place, measure, what, wide_element(total)
    FROM sums;
