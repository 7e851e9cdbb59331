-- part exposures if getvariable('exposes')

-- our columns: the segments, and the arm last; an ENUM goes as text, since its type would name all its values to the peer
SET VARIABLE own_segments = (SELECT coalesce(list(column_name), []::VARCHAR[]) FROM feature_columns(getvariable('table'), getvariable('segments'), []::VARCHAR[])
                             WHERE trim(getvariable('segments')) <> '');
SET VARIABLE own_arm = (SELECT list(column_name) FROM feature_columns(getvariable('table'), getvariable('arm'), []::VARCHAR[]));
SELECT require(len(getvariable('own_arm')) = 1, 'arm is one column');
SET VARIABLE own_groups = getvariable('own_segments') || getvariable('own_arm');
SET VARIABLE own_measures = []::VARCHAR[];
CREATE OR REPLACE TEMP TABLE aggregate_own AS
    SELECT 'group' AS use, position, name, CASE WHEN column_type LIKE 'ENUM(%' THEN 'VARCHAR' ELSE column_type END AS type, 0::BIGINT AS scale, 0::BIGINT AS most
    FROM (SELECT generate_subscripts(getvariable('own_groups'), 1)::BIGINT AS position, unnest(getvariable('own_groups')) AS name)
    JOIN (SELECT column_name AS name, column_type FROM table_columns(getvariable('table'))) USING (name);
SELECT require(count(*) = 0, 'segments and arm are numbers, texts, dates, times, or UUIDs; cast ' || string_agg(name || ' (' || type || ')', ', ') || ' in a view')
FROM aggregate_own WHERE NOT duckpriv_is_group_type(type);
SET VARIABLE own_group_types = (SELECT list(type ORDER BY position) FROM aggregate_own);

-- Each person with its segments and arm, and the bucket of its exposure; left out, without one, is who is in neither arm, or was not exposed
-- on the agreed days.
CREATE OR REPLACE TEMP TABLE lift_persons AS
    WITH labelled AS (SELECT id, labels, labels[len(getvariable('own_groups'))] AS arm, labels[len(getvariable('own_groups')) + 1] AS day
                      FROM measure_rows(getvariable('table'), getvariable('id_column'), getvariable('own_groups') || getvariable('own_day'),
                                        []::VARCHAR[], []::VARCHAR[], []::BIGINT[])),
         placed AS (SELECT id, list_append(list_transform(labels[:len(getvariable('own_segments'))],
                                                  lambda label, i: CASE WHEN label = '-0.0' AND getvariable('own_group_types')[i] IN ('FLOAT', 'DOUBLE') THEN '0.0' ELSE label END),
                                   CASE arm WHEN getvariable('treatment') THEN 'treatment' ELSE 'control' END) AS labels,
                           CASE WHEN NOT coalesce(arm IN (getvariable('treatment'), getvariable('control')), false) THEN NULL
                                WHEN NOT getvariable('with_days') THEN 1
                                ELSE 1 + (duckpriv_day(day) - TRY_CAST(getvariable('first_day') AS DATE)) // getvariable('bucket') END AS bucket,
                           duckpriv_day(day) BETWEEN TRY_CAST(getvariable('first_day') AS DATE) AND TRY_CAST(getvariable('last_day') AS DATE) AS agreed
                    FROM labelled)
    SELECT id, to_json(labels)::VARCHAR AS labels, CASE WHEN NOT getvariable('with_days') OR agreed THEN bucket END AS bucket FROM placed;
SELECT require(count(DISTINCT id) = count(id), 'an id occurs more than once in the table; each person needs one row: take a view that has one') FROM lift_persons;
-- the groups of segment and arm, the largest first, since what is hidden beside a small group is the last one
CREATE OR REPLACE TEMP TABLE aggregate_groups AS
    SELECT row_number() OVER (ORDER BY count(*) DESC, labels) AS place, labels, count(*) AS persons FROM lift_persons WHERE bucket IS NOT NULL GROUP BY labels;
SELECT require(bool_or(ends_with(labels, '"treatment"]')) AND bool_or(ends_with(labels, '"control"]')),
               'nobody is in the ' || CASE WHEN coalesce(bool_or(ends_with(labels, '"treatment"]')), false) THEN 'control' ELSE 'treatment' END
               || '; set treatment and control to values of the arm, and first_day and last_day to days of exposure')
FROM aggregate_groups;
SELECT require(bool_and(length(labels) <= 1000), 'a segment has a name of more than 1,000 letters; shorten such names in a view') FROM aggregate_groups;
-- each of them has a place for each bucket, also where nobody is
SET VARIABLE own_places = (SELECT count(*) * getvariable('buckets') FROM aggregate_groups);
SELECT require(getvariable('own_places') <= getvariable('max_groups')::BIGINT, 'there are ' || getvariable('own_places')
               || ' pairs of group and bucket, and max_groups allows ' || getvariable('max_groups') || '; take fewer segments, larger buckets, or set max_groups');
CREATE OR REPLACE TEMP TABLE aggregate_placed AS
    SELECT 1 AS nth, id, coalesce((place - 1) * getvariable('buckets') + bucket, getvariable('own_places') + 1) AS place, []::BIGINT[] AS x
    FROM lift_persons LEFT JOIN aggregate_groups USING (labels);
SET VARIABLE own_largest = 0;
SET VARIABLE left_out = (SELECT count(*) FROM lift_persons WHERE bucket IS NULL);
DROP TABLE lift_persons;
