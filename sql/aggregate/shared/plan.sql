-- the peer's columns
CREATE OR REPLACE TEMP TABLE aggregate_theirs AS
    FROM exchange_recv(getvariable('peer'), 'aggregate/columns', columns := 'use VARCHAR, position BIGINT, name VARCHAR, type VARCHAR, scale BIGINT, most BIGINT, nullable BOOLEAN');
SELECT require(coalesce(bool_and(use IN ('group', 'measure') AND length(name) BETWEEN 1 AND 500 AND NOT regexp_matches(name, '[[:cntrl:]]') AND length(type) <= 10000
                                 AND CASE WHEN use = 'measure' THEN duckpriv_is_number_type(type) ELSE duckpriv_is_group_type(type) END
                                 AND scale BETWEEN 0 AND 18 AND most BETWEEN CASE WHEN use = 'measure' AND getvariable('eps') > 0 THEN 1 ELSE 0 END AND 1073741824), true),
               'the peer''s columns make no sense')
FROM aggregate_theirs;
SELECT require(is_numbered(position, count(*)), 'the peer''s columns to group by make no sense') FROM aggregate_theirs WHERE use = 'group';
SELECT require(is_numbered(position, count(*)) AND count(*) <= getvariable('max_measures')::BIGINT, 'the peer has ' || count(*) || ' measures, and max_measures allows ' || getvariable('max_measures') || ': each sum of them by your groups tells something of your rows') FROM aggregate_theirs WHERE use = 'measure';
SELECT require(getvariable('peer_places') BETWEEN 1 AND getvariable('max_groups')::BIGINT,
               'the peer has ' || getvariable('peer_places') || ' groups, and max_groups allows ' || getvariable('max_groups')
               || '; group by fewer, or set max_groups');
SET VARIABLE peer_measures = (SELECT count(*) FROM aggregate_theirs WHERE use = 'measure');
SET VARIABLE host_places = CASE WHEN getvariable('leads') THEN getvariable('own_places') ELSE getvariable('peer_places') END;
SET VARIABLE guest_places = CASE WHEN getvariable('leads') THEN getvariable('peer_places') ELSE getvariable('own_places') END;
SET VARIABLE host_measures = CASE WHEN getvariable('leads') THEN len(getvariable('own_measures')) ELSE getvariable('peer_measures') END;
SET VARIABLE guest_measures = CASE WHEN getvariable('leads') THEN getvariable('peer_measures') ELSE len(getvariable('own_measures')) END;

-- Noise: each of these is of an epsilon of its own, an equal part, and one row adds no more to it than `most`, or its square. What the minimum is compared with
-- has noise, too, and may be below 0 by it, by more than `margin` with probability 2^-40.
SET VARIABLE parts = 1 + 3 * (getvariable('host_measures') + getvariable('guest_measures'));
SET VARIABLE margin = CASE WHEN getvariable('eps') > 0 THEN ceil(2 * 28 * getvariable('parts') / getvariable('eps'))::BIGINT ELSE 0 END;
SELECT require(getvariable('margin') <= 10000, 'epsilon is too small for so many measures; take ' || ceil(2 * 28 * getvariable('parts') / 100) / 100 || ' or more'),
       require(coalesce((SELECT max(most::DOUBLE * most) FROM (SELECT most FROM aggregate_own UNION ALL SELECT most FROM aggregate_theirs)), 0)
               * getvariable('parts') * 40 < getvariable('eps') * 2.0::DOUBLE ** 62 OR getvariable('eps') = 0, 'limits are too large for this epsilon');

-- Counts that are compared with the minimum: of rows, and of numbers of measures that have NULLs.
SET VARIABLE nullable = (SELECT coalesce(list(nullable ORDER BY of_guest, position), []::BOOLEAN[])
                         FROM (SELECT getvariable('leads') AS of_guest, position, nullable FROM aggregate_theirs WHERE use = 'measure'
                               UNION ALL
                               SELECT NOT getvariable('leads'), position, coalesce(getvariable('own_nullable')[position], true) FROM aggregate_own WHERE use = 'measure'));
SET VARIABLE tokens = getvariable('host_places') * getvariable('guest_places') * (1 + len(list_filter(getvariable('nullable'), lambda n: n)))
                      * (getvariable('minimum') + getvariable('margin'));
SELECT require(getvariable('tokens') <= 4000000, 'there are ' || getvariable('host_places') || ' times ' || getvariable('guest_places')
               || ' groups, which would take ' || getvariable('tokens') || ' comparisons with the minimum, and 4000000 go; group by fewer, or agree on a smaller minimum');

-- Bits. Numbers have up to 40; sums of their squares over all rows, with which variances are exact, stay below 2^126. A slot has room for such a
-- sum, for its sign, and for a mask.
SET VARIABLE many = getvariable('own_many') OR getvariable('peer_many');
SET VARIABLE row_bits = (SELECT len(bin(getvariable('rows')))) + CASE WHEN getvariable('many') THEN 10 ELSE 0 END;
SELECT require(count(*) < 1::BIGINT << getvariable('row_bits'), 'there are more than 1000 rows for each id; add some up in a view') FROM aggregate_rows;
SET VARIABLE number_bits = least(40, 63 - getvariable('row_bits'));
SET VARIABLE slot_bits = 2 * getvariable('number_bits') + getvariable('row_bits') + 4 + getvariable('sigma');
SET VARIABLE slots = (getvariable('bits') - 2) // getvariable('slot_bits');
SELECT require(getvariable('own_largest') < 1::BIGINT << getvariable('number_bits'),
               'a measure has a number of more than ' || getvariable('number_bits') || ' bits, in units of its last decimal; use larger units');

-- One party encrypts its rows, each in the slots of its group; the other sums them by its own groups, also with its own measures as weights.
-- Who encrypts is who has the shorter rows to send; but who may have several rows for an id sums, since it can use a ciphertext for each. A host
-- without groups need not tell the guest, which knows its common rows, that it has a row: then the guest counts for itself. Where both lack rows,
-- it does not know them.
SET VARIABLE host_bodies =
    CASE WHEN getvariable('host_measures') > 0 THEN ceil(getvariable('host_places') * (1 + 3 * getvariable('host_measures')) / getvariable('slots')::DOUBLE) ELSE 0 END
    + CASE WHEN (getvariable('host_places') > 1 OR getvariable('both_lack')) AND (getvariable('guest_measures') > 0 OR getvariable('host_measures') = 0)
           THEN ceil(getvariable('host_places') / getvariable('slots')::DOUBLE) ELSE 0 END;
SET VARIABLE guest_bodies =
    CASE WHEN getvariable('guest_measures') > 0 THEN ceil(getvariable('guest_places') * (1 + 3 * getvariable('guest_measures')) / getvariable('slots')::DOUBLE) ELSE 0 END
    + CASE WHEN getvariable('host_measures') > 0 OR getvariable('guest_measures') = 0 THEN ceil(getvariable('guest_places') / getvariable('slots')::DOUBLE) ELSE 0 END;
SET VARIABLE host_encrypts = CASE WHEN getvariable('many') THEN getvariable('own_many') <> getvariable('leads') ELSE getvariable('host_bodies') <= getvariable('guest_bodies') END;
SELECT require(CASE WHEN getvariable('host_encrypts') THEN getvariable('host_bodies') ELSE getvariable('guest_bodies') END <= 1000, 'the groups and measures are too many for a row to be encrypted; group by fewer');
SET VARIABLE encrypts = getvariable('leads') = getvariable('host_encrypts');
SET VARIABLE e_places = CASE WHEN getvariable('host_encrypts') THEN getvariable('host_places') ELSE getvariable('guest_places') END;
SET VARIABLE e_measures = CASE WHEN getvariable('host_encrypts') THEN getvariable('host_measures') ELSE getvariable('guest_measures') END;
SET VARIABLE s_places = CASE WHEN getvariable('host_encrypts') THEN getvariable('guest_places') ELSE getvariable('host_places') END;
SET VARIABLE s_measures = CASE WHEN getvariable('host_encrypts') THEN getvariable('guest_measures') ELSE getvariable('host_measures') END;
-- whether rows with measures are encrypted; whether only places are, to count and to be weighted; whether who sums does so in the clear
SET VARIABLE with_measures = getvariable('e_measures') > 0;
SET VARIABLE with_places = (getvariable('s_measures') > 0 OR NOT getvariable('with_measures')) AND NOT (getvariable('host_encrypts') AND getvariable('e_places') = 1 AND NOT getvariable('both_lack'));
SET VARIABLE in_the_clear = NOT getvariable('with_places') AND (getvariable('s_measures') > 0 OR NOT getvariable('with_measures'));
SET VARIABLE each = 1 + 3 * getvariable('e_measures');
SET VARIABLE e_first = CASE WHEN getvariable('host_encrypts') THEN 0 ELSE getvariable('host_measures') END;
SET VARIABLE s_first = CASE WHEN getvariable('host_encrypts') THEN getvariable('host_measures') ELSE 0 END;
SET VARIABLE k = 0;
-- pids at a time, of about 65,536 rows
SET VARIABLE chunk = (SELECT greatest(1, 65536 * getvariable('rows') // greatest(count(*), 1)) FROM aggregate_rows);
-- where ids repeat, persons are counted too, and those of totals over the groups of who sums in a place of their own, 0
SET VARIABLE persons_from = CASE WHEN getvariable('totals') = 'yes' AND getvariable('s_places') > 1 AND (NOT getvariable('host_encrypts') OR getvariable('host_places') = 1) THEN 0 ELSE 1 END;
-- shares: by the groups of both, by number of the measure (0: rows), and of what: its count, sum, or sum of squares (0 to 2), or its persons (3)
CREATE OR REPLACE TEMP TABLE aggregate_parts (host_place BIGINT, guest_place BIGINT, measure BIGINT, what BIGINT, share UHUGEINT);
