-- part outcomes if NOT getvariable('exposes')

-- our columns of outcomes, once for each bucket
SET VARIABLE own_groups = []::VARCHAR[];
CREATE OR REPLACE TEMP TABLE lift_outcomes AS
    SELECT position, name, type, scale FROM measure_columns(getvariable('table'), getvariable('outcomes'), decimals := getvariable('decimals')::BIGINT);
SET VARIABLE outcome_count = (SELECT count(*) FROM lift_outcomes);
SET VARIABLE outcome_names = (SELECT list(name ORDER BY position) FROM lift_outcomes);
SET VARIABLE outcome_types = (SELECT list(type ORDER BY position) FROM lift_outcomes);
SET VARIABLE outcome_scales = (SELECT list(scale ORDER BY position) FROM lift_outcomes);
SELECT require(getvariable('outcome_count') * getvariable('buckets') <= 100, getvariable('outcome_count') || ' outcomes and ' || getvariable('buckets')
               || ' buckets are more than 100 together; take fewer outcomes, or larger buckets');
CREATE OR REPLACE TEMP TABLE aggregate_own AS
    SELECT 'measure' AS use, (b - 1) * getvariable('outcome_count') + position AS position, name, type, scale, 0::BIGINT AS most
    FROM lift_outcomes, range(1, getvariable('buckets') + 1) t(b);
SET VARIABLE own_measures = (SELECT list(name ORDER BY position) FROM aggregate_own);

CREATE OR REPLACE TEMP TABLE aggregate_table AS
    SELECT id, duckpriv_day(labels[1]) AS day, x, unfit
    FROM measure_rows(getvariable('table'), getvariable('id_column'), getvariable('own_day'), getvariable('outcome_names'), getvariable('outcome_types'),
                      getvariable('outcome_scales'));
-- include ../../aggregate/shared/check_numbers.sql
SELECT require(NOT getvariable('with_days') OR count(*) = 0, count(*) || ' rows have no day, or an infinite one; leave them out with a view')
FROM aggregate_table WHERE NOT coalesce(isfinite(day), false);

-- The sums of each person, one for each bucket of exposure: of all that came after its last day. NULL is no outcome.
CREATE OR REPLACE TEMP TABLE lift_sums AS
    SELECT id, (b - 1) * getvariable('outcome_count') + m AS position,
           sum(x[m]) FILTER (NOT getvariable('with_days')
                             OR day - TRY_CAST(getvariable('first_day') AS DATE) >= least(b * getvariable('bucket'), getvariable('span'))
                                AND (getvariable('within') = 0
                                     OR day - TRY_CAST(getvariable('first_day') AS DATE) < least(b * getvariable('bucket'), getvariable('span')) + getvariable('within'))) AS total
    FROM aggregate_table, range(1, getvariable('buckets') + 1) t(b), range(1, getvariable('outcome_count') + 1) u(m) GROUP BY id, b, m;
SELECT require(coalesce(max(abs(total)), 0) < 1::BIGINT << 62, 'an outcome of a person is too large; use larger units') FROM lift_sums;
SET VARIABLE own_largest = (SELECT coalesce(max(abs(total)), 0) FROM lift_sums);
DROP TABLE aggregate_table;
SELECT require(EXISTS (FROM "${alignment}" SEMI JOIN lift_sums USING (id)), 'no id of the alignment is in the table of outcomes; name the column of the ids with --set key=COLUMN');

-- who is not in the table has no outcome
CREATE OR REPLACE TEMP TABLE aggregate_placed AS
    SELECT 1 AS nth, id, 1::BIGINT AS place, coalesce(x, list_resize([]::BIGINT[], len(getvariable('own_measures')))) AS x
    FROM "${alignment}" LEFT JOIN (SELECT id, list(total::BIGINT ORDER BY position) AS x FROM lift_sums GROUP BY id) USING (id);
DROP TABLE lift_sums;
CREATE OR REPLACE TEMP TABLE aggregate_groups AS SELECT 1::BIGINT AS place, '[]' AS labels;
SET VARIABLE own_places = 1;
SET VARIABLE left_out = 0;
