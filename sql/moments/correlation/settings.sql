-- settings
SET VARIABLE duckpriv_protocol = 'moments/correlation/1';
SET VARIABLE duckpriv_parameters = '';
-- include ../shared/from_moments.sql
SELECT require_result(getvariable('result'), ['position', 'feature', 'other_position', 'other', 'correlation']),
       require_result(getvariable('result') || '_vif', ['position', 'party', 'feature', 'vif']),
       require(getvariable('reveal') IN ('host', 'guest', 'both'), 'reveal is host, guest or both'),
       require(getvariable('names') IN ('yes', 'no'), 'names is yes or no'),
       require(getvariable('accept_disclosure') IN ('yes', 'no'), 'accept_disclosure is yes or no');
SET VARIABLE settings = 'moments=' || (SELECT any_value(session) FROM used_columns) || ' reveal=' || getvariable('reveal')
    || ' names=' || getvariable('names') || ' accept_disclosure=' || getvariable('accept_disclosure');

-- Columns by their places, without the intercept, and all pairs of them. Hidden are those whose variance over the common rows nobody knows: the
-- host's, and where both lack rows the guest's, too.
CREATE OR REPLACE TEMP TABLE correlation_columns AS
    SELECT position - 1 AS place, party, name, role, (party = getvariable('me')) = getvariable('leads') OR getvariable('both_lack') AS hidden
    FROM used_columns WHERE position > 1;
CREATE OR REPLACE TEMP TABLE correlation_pairs AS
    SELECT row_number() OVER (ORDER BY a.place, b.place) AS pair, a.place AS i, b.place AS j, a.hidden OR b.hidden AS with_hidden
    FROM correlation_columns a JOIN correlation_columns b ON a.place <= b.place;
SELECT require(count(*) BETWEEN 1 AND 200, 'the moments have ' || count(*) || ' columns, and 200 go; have them made anew with --set columns=…')
FROM correlation_columns;

-- What is opened: 22 bits of numbers up to 1, 20 of them fractional, of which the guest knows those of columns that are not hidden; and 18 more of
-- hidden variances, which may be any number where a column does not vary.
SELECT require_hidden(getvariable('accept_disclosure'),
                      18 * (SELECT count(*) FROM correlation_columns WHERE hidden)
                      + 22 * CASE WHEN getvariable('reveal') = 'guest' THEN count(*) FILTER (with_hidden) ELSE count(*) END,
                      (SELECT any_value(coalesce(common, rows)) FROM used_columns))
FROM correlation_pairs;

-- include ../shared/agree.sql

-- Products that are to come, by step: means, their products, those of Newton's method, first with a floor and then without, and the
-- matrix times what that gives.
SET VARIABLE newton = 24;
SET VARIABLE newton_again = 7;
CREATE OR REPLACE TEMP TABLE product_sizes AS
    WITH sizes AS (SELECT (SELECT count(*) FROM correlation_columns) AS columns, (SELECT count(*) FROM correlation_columns WHERE hidden) AS hidden,
                          (SELECT count(*) FROM correlation_pairs) AS pairs),
         parts AS (SELECT 1 AS part, columns AS size, 1 AS times, 1 AS turn FROM sizes
                   UNION ALL SELECT 1, pairs, 1, 2 FROM sizes
                   UNION ALL SELECT 1, hidden, 2 * getvariable('newton') + 2 + 2 * getvariable('newton_again'), 3 FROM sizes
                   UNION ALL SELECT 1, pairs, 2, 4 FROM sizes),
         steps AS (SELECT row_number() OVER (ORDER BY turn) AS step, part, size, turn FROM (SELECT *, unnest(range(times)) FROM parts))
    SELECT step, 1::BIGINT AS part, size FROM steps
    UNION ALL
    -- each time of Newton's method has two products that do not wait for each other
    SELECT step, 2, size FROM steps
    WHERE turn = 3 AND step % 2 = 1 AND step <> 2 * getvariable('newton') + 3;

-- Random numbers for each product, in two parts. A slot has room for the product of two with 128 bits, its sign and its mask.
SET VARIABLE slot_bits = 256 + 1 + 64;
CREATE OR REPLACE TEMP TABLE product_masks AS
    SELECT step, part, size, wide_random(size) AS u, wide_random(size) AS t FROM product_sizes;
