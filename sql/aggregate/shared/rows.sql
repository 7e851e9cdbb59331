-- our columns: to group by, and to sum; an ENUM goes as text, since its type would name all its values to the peer
SET VARIABLE limits = (SELECT list_transform(split_names(getvariable('limits')), lambda l: TRY_CAST(l AS DOUBLE)));
CREATE OR REPLACE TEMP TABLE aggregate_own AS
    SELECT 'group' AS use, position, name, CASE WHEN column_type LIKE 'ENUM(%' THEN 'VARCHAR' ELSE column_type END AS type, 0::BIGINT AS scale, 0::BIGINT AS most
    FROM (SELECT row_number() OVER () AS position, column_name, column_name AS name
          FROM feature_columns(getvariable('table'), getvariable('groups'), []::VARCHAR[]) WHERE trim(getvariable('groups')) <> '')
    JOIN (SELECT column_name, column_type FROM table_columns(getvariable('table'))) USING (column_name)
    UNION ALL
    SELECT 'measure', position, name, type, scale, CASE WHEN getvariable('eps') > 0 THEN TRY_CAST(ceil(getvariable('limits')[position] * 10.0::DOUBLE ** scale) AS BIGINT) ELSE 0 END
    FROM measure_columns(getvariable('table'), getvariable('measures'), decimals := getvariable('decimals')::BIGINT);
SET VARIABLE own_groups = (SELECT coalesce(list(name ORDER BY position), []::VARCHAR[]) FROM aggregate_own WHERE use = 'group');
SET VARIABLE own_group_types = (SELECT coalesce(list(type ORDER BY position), []::VARCHAR[]) FROM aggregate_own WHERE use = 'group');
SELECT require(count(*) = 0, 'columns to group by are numbers, texts, dates, times, or UUIDs; cast ' || string_agg(name || ' (' || type || ')', ', ') || ' in a view')
FROM aggregate_own WHERE use = 'group' AND NOT duckpriv_is_group_type(type);
SET VARIABLE own_measures = (SELECT coalesce(list(name ORDER BY position), []::VARCHAR[]) FROM aggregate_own WHERE use = 'measure');
SET VARIABLE own_types = (SELECT coalesce(list(type ORDER BY position), []::VARCHAR[]) FROM aggregate_own WHERE use = 'measure');
SELECT require(getvariable('eps') = 0 OR count(*) = len(getvariable('limits')) AND bool_and(coalesce(most BETWEEN 1 AND 1073741824, false)) IS NOT false,
               'with epsilon, limits has a number for each measure, more than 0 and up to 2^30 in units of its last decimal')
FROM aggregate_own WHERE use = 'measure';
SET VARIABLE own_most = (SELECT coalesce(list(most ORDER BY position), []::BIGINT[]) FROM aggregate_own WHERE use = 'measure');
SET VARIABLE own_scales = (SELECT coalesce(list(scale ORDER BY position), []::BIGINT[]) FROM aggregate_own WHERE use = 'measure');

-- our rows
CREATE OR REPLACE TEMP TABLE aggregate_table AS
    SELECT row_number() OVER () AS nth, id, to_json(list_transform(labels, lambda label, i: CASE WHEN label = '-0.0' AND getvariable('own_group_types')[i] IN ('FLOAT', 'DOUBLE') THEN '0.0' ELSE label END))::VARCHAR
           AS labels, x, unfit
    FROM measure_rows(getvariable('table'), getvariable('id_column'), getvariable('own_groups'), getvariable('own_measures'),
                      getvariable('own_types'), getvariable('own_scales'));

-- part first-rows if getvariable('duplicates') = 'first'

DELETE FROM aggregate_table WHERE nth NOT IN (SELECT min(nth) FROM aggregate_table WHERE id IS NOT NULL GROUP BY id) AND id IS NOT NULL;

-- part groups

-- Of the whole table, as all that is refused here: were it of the common rows, the peer, which sees that this ends, could tell by it whether one is common.
SELECT require(getvariable('duplicates') <> 'refuse' OR count(DISTINCT id) = count(id), 'an id occurs in more than one row; each id needs one row, or set '
               || 'duplicates=first (only the first of them counts) or duplicates=all (each counts)')
FROM aggregate_table;
-- include check_numbers.sql
SET VARIABLE own_nullable = (SELECT list(nulls > 0 ORDER BY position)
                             FROM (SELECT position, count(*) FILTER (number IS NULL) AS nulls
                                   FROM (SELECT generate_subscripts(x, 1) AS position, unnest(x) AS number FROM aggregate_table) GROUP BY position));
-- The groups of the whole table, whether they have a common row or not: the largest first, since what is hidden beside a small
-- group is the last one.
CREATE OR REPLACE TEMP TABLE aggregate_groups AS
    SELECT row_number() OVER (ORDER BY count(*) DESC, labels) AS place, labels FROM aggregate_table GROUP BY labels;
SET VARIABLE own_places = (SELECT count(*) FROM aggregate_groups);
SELECT require(bool_and(length(labels) <= 1000), 'a group has a name of more than 1,000 letters; shorten such names in a view') FROM aggregate_groups;
SELECT require(getvariable('own_places') > 0, 'the table has no rows'),
       require(getvariable('own_places') <= getvariable('max_groups')::BIGINT, 'there are ' || getvariable('own_places')
               || ' groups, and max_groups allows ' || getvariable('max_groups') || '; group by fewer, or set max_groups');
CREATE OR REPLACE TEMP TABLE aggregate_placed AS
    SELECT nth, id, place, CASE WHEN getvariable('eps') = 0 THEN x
                           ELSE list_transform(list_zip(x, getvariable('own_most')), lambda t: CASE WHEN t[1] IS NOT NULL THEN greatest(least(t[1], t[2]), -t[2]) END) END AS x
    FROM aggregate_table JOIN aggregate_groups USING (labels);
DROP TABLE aggregate_table;
-- of the whole table, too
SET VARIABLE own_largest = (SELECT coalesce(max(abs(number::HUGEINT)), 0) FROM (SELECT unnest(x) AS number FROM aggregate_placed));
