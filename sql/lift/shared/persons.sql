-- part shown

-- the groups of which anything is shown
CREATE OR REPLACE TEMP TABLE lift_shown AS
    SELECT CASE getvariable('exposures') WHEN 'host' THEN host_place ELSE guest_place END AS place
    FROM aggregate_shown JOIN aggregate_cells USING (cell) WHERE measure = 0 AND shown;

-- part send-persons if getvariable('exposes') AND getvariable('peer_receives') AND getvariable('population') = 'all'

CALL exchange_send(getvariable('peer'), 'lift/persons', $$ SELECT place, persons FROM lift_shown JOIN aggregate_groups USING (place) ORDER BY place $$);

-- part receive-persons if NOT getvariable('exposes') AND getvariable('receives') AND getvariable('population') = 'all'

CREATE OR REPLACE TEMP TABLE lift_population AS FROM exchange_recv(getvariable('peer'), 'lift/persons', columns := 'place BIGINT, persons BIGINT');
SELECT require((SELECT list(place ORDER BY place) FROM lift_population) IS NOT DISTINCT FROM (SELECT list(place ORDER BY place) FROM lift_shown),
               'the peer did not count the persons of each group that is shown once');

-- part own-persons if getvariable('exposes') AND getvariable('receives') AND getvariable('population') = 'all'

CREATE OR REPLACE TEMP TABLE lift_population AS SELECT place, persons FROM lift_shown JOIN aggregate_groups USING (place);
