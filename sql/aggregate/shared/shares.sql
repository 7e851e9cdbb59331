-- part shares if getvariable('with_measures') OR getvariable('with_places')

-- shares of the encrypted measures, by the groups of who encrypted (e) and who summed (s)
INSERT INTO aggregate_parts
    SELECT CASE WHEN getvariable('host_encrypts') THEN e ELSE s END, CASE WHEN getvariable('host_encrypts') THEN s ELSE e END,
           CASE WHEN slot = 0 THEN 0 ELSE getvariable('e_first') + (slot + 2) // 3 END, CASE WHEN slot = 0 THEN 0 ELSE (slot - 1) % 3 END, share
    FROM (SELECT place AS s, 1 + (nth - 1) // getvariable('each') AS e, (nth - 1) % getvariable('each') AS slot, share
          FROM (SELECT place, generate_subscripts(elements, 1) AS nth, unnest(elements) AS share
                FROM (SELECT place, wide_decode(share) AS elements FROM aggregate_vectors)));

-- part weighted-shares if getvariable('with_places') AND getvariable('s_measures') > 0

-- and of the measures that were weights; the second half of a square counts 2^40 times
INSERT INTO aggregate_parts
    SELECT CASE WHEN getvariable('host_encrypts') THEN e ELSE s END, CASE WHEN getvariable('host_encrypts') THEN s ELSE e END,
           getvariable('s_first') + (feature + 3) // 4, least((feature - 1) % 4, 2),
           CASE WHEN feature % 4 = 0 THEN (share & 309485009821345068724781055::UHUGEINT) << 40 ELSE share END
    FROM (SELECT place AS s, generate_subscripts(elements, 1) AS e, feature, unnest(elements) AS share
          FROM (SELECT place, feature, wide_decode(share) AS elements FROM aggregate_weighted_vectors));
