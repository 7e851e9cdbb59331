SET VARIABLE totals = 'no';
SET VARIABLE epsilon = '0';
SET VARIABLE max_measures = '100';
SET VARIABLE duplicates = 'refuse';
SET VARIABLE own_many = false;
SET VARIABLE peer_many = false;
-- include ../../aggregate/shared/settings.sql
SET VARIABLE exposes = getvariable('arm') <> '';
SET VARIABLE with_days = getvariable('first_day') <> '';
SELECT require(getvariable('exposes') <> (getvariable('outcomes') <> ''),
               'one party names its arm, and the other its outcomes: set one of both, arm or outcomes'),
       require(getvariable('exposes') OR getvariable('segments') = '', 'segments are columns of who has the arm; leave them out here'),
       require(getvariable('treatment') <> getvariable('control'), 'treatment and control are two values of the arm'),
       require(duckpriv_is_integer(getvariable('max_outcomes')) AND getvariable('max_outcomes')::BIGINT BETWEEN 1 AND 100, 'max_outcomes is a whole number from 1 to 100'),
       require(getvariable('population') IN ('all', 'matched'), 'population is all or matched'),
       require(coalesce(TRY_CAST(getvariable('confidence') AS DOUBLE) > 0 AND TRY_CAST(getvariable('confidence') AS DOUBLE) < 1, false),
               'confidence is a number between 0 and 1, as 0.95'),
       require((getvariable('day') <> '') = getvariable('with_days') AND (getvariable('last_day') <> '') = getvariable('with_days'),
               'day, first_day and last_day go together: set all of them, or none'),
       require(NOT getvariable('with_days') OR regexp_full_match(getvariable('first_day') || getvariable('last_day'), '(\d{4}-\d\d-\d\d){2}')
               AND coalesce(TRY_CAST(getvariable('first_day') AS DATE) <= TRY_CAST(getvariable('last_day') AS DATE), false),
               'first_day and last_day are days as 2026-03-01, and last_day is not before first_day'),
       require(duckpriv_is_integer(getvariable('bucket')) AND getvariable('bucket')::BIGINT BETWEEN 1 AND 10000, 'bucket is a whole number of days, from 1 to 10000'),
       require(duckpriv_is_integer(getvariable('within')) AND getvariable('within')::BIGINT BETWEEN 0 AND 10000, 'within is a whole number of days, from 0 to 10000');
SET VARIABLE bucket = getvariable('bucket')::BIGINT;
SET VARIABLE within = getvariable('within')::BIGINT;
SET VARIABLE span = CASE WHEN getvariable('with_days') THEN TRY_CAST(getvariable('last_day') AS DATE) - TRY_CAST(getvariable('first_day') AS DATE) + 1 ELSE 1 END;
-- how many buckets of days; without days there is one
SET VARIABLE buckets = CASE WHEN getvariable('with_days') THEN (getvariable('span') + getvariable('bucket') - 1) // getvariable('bucket') ELSE 1 END;
SELECT require(getvariable('buckets') <= 100, 'from first_day to last_day there are ' || getvariable('buckets') || ' buckets, and 100 are the most; take larger ones');
SET VARIABLE exposures = CASE WHEN getvariable('exposes') = getvariable('leads') THEN 'host' ELSE 'guest' END;
SET VARIABLE duckpriv_protocol = 'lift/1';
SET VARIABLE duckpriv_parameters = 'to=' || getvariable('to') || ' minimum=' || getvariable('minimum') || ' population=' || getvariable('population')
    || ' first_day=' || getvariable('first_day') || ' last_day=' || getvariable('last_day') || ' bucket=' || getvariable('bucket')
    || ' within=' || getvariable('within') || ' bits=' || getvariable('bits') || ' sigma=' || getvariable('sigma');

-- our column of days
SET VARIABLE own_day = (SELECT coalesce(list(column_name), []::VARCHAR[]) FROM feature_columns(getvariable('table'), getvariable('day'), []::VARCHAR[])
                        WHERE getvariable('with_days'));
SELECT require(NOT getvariable('with_days') OR count(*) = 1, 'day is one column'),
       require(coalesce(bool_and(column_type IN ('DATE', 'TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS')), true),
               'the column of days is of the type ' || any_value(column_type) || '; cast it to DATE in a view')
FROM table_columns(getvariable('table')) WHERE list_contains(getvariable('own_day'), column_name);
