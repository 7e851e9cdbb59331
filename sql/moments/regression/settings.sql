-- settings
SET VARIABLE duckpriv_protocol = 'moments/regression/1';
SET VARIABLE duckpriv_parameters = '';
-- include ../shared/from_moments.sql
SELECT require_result(getvariable('result'), ['feature', 'weight', 'mean', 'deviation', 'weight_original', 'training']),
       require_result(getvariable('result') || '_share', ['party', 'position', 'share', 'training']),
       require_result(getvariable('log'), ['iteration', 'loss', 'gradient_norm', 'seconds', 'bytes']);
SELECT require(count(*) FILTER (starts_with(role, 'label')) = 1, 'the moments have no label; have the host run moments/host with --set label=COLUMN')
FROM used_columns;
SET VARIABLE label = (SELECT {'position': position, 'mean': mean, 'unit': deviation, 'zero_one': role = 'label of 0 and 1'}
                      FROM used_columns WHERE starts_with(role, 'label'));
SET VARIABLE kind = CASE WHEN getvariable('kind') <> '' THEN getvariable('kind') WHEN getvariable('label').zero_one THEN 'logistic' ELSE 'linear' END;
SELECT require(getvariable('kind') IN ('linear', 'logistic'), 'kind is linear or logistic'),
       require(getvariable('kind') = 'linear' OR getvariable('label').zero_one, 'a logistic regression needs a label of 0 and 1'),
       require(getvariable('reveal') IN ('own', 'host', 'guest', 'both', 'none'), 'reveal is own, host, guest, both or none'),
       require(getvariable('accept_disclosure') IN ('yes', 'no'), 'accept_disclosure is yes or no'),
       require(getvariable('steps')::VARCHAR = '' OR duckpriv_is_integer(getvariable('steps')), 'steps is a whole number'),
       require(getvariable('l2')::DOUBLE BETWEEN 0 AND 1000, 'l2 is 0 to 1000');
CREATE OR REPLACE TEMP TABLE regression_features AS
    SELECT *, row_number() OVER (ORDER BY position) AS place,
           CASE getvariable('reveal') WHEN 'own' THEN party WHEN 'none' THEN '' WHEN 'both' THEN 'both' WHEN 'host' THEN host ELSE guest END AS seen_by
    FROM used_columns,
         (SELECT any_value(party) FILTER (role = 'intercept') AS host, max_by(party, position) AS guest FROM used_columns)
    WHERE NOT starts_with(role, 'label');
SET VARIABLE size = (SELECT count(*) FROM regression_features);
SET VARIABLE factor = CASE getvariable('kind') WHEN 'linear' THEN 1.0::DOUBLE ELSE 0.25 END;
-- What the first but two steps leave of all directions, of which none has a smaller eigenvalue than l2, or a quarter of the intercept's, is
-- below 0.01 then, if one in 32 rows is common. The number of steps does not depend on the data. Beyond 32, roundings are squared too often.
SET VARIABLE trace = getvariable('factor') * getvariable('size') + getvariable('l2')::DOUBLE * (getvariable('size') - 1);
SET VARIABLE smallest = least(getvariable('l2')::DOUBLE, getvariable('factor') / 4);
SET VARIABLE steps = CASE WHEN getvariable('steps')::VARCHAR <> '' THEN getvariable('steps')::VARCHAR::INTEGER
    WHEN getvariable('l2')::DOUBLE = 0 THEN 25
    ELSE least(25, 7 + ceil(log2(ln(100 * getvariable('size')) * getvariable('trace') / getvariable('smallest'))))::INTEGER END;
SELECT require(getvariable('steps') BETWEEN 3 AND 32, 'steps is 3 to 32');
SET VARIABLE settings = 'moments=' || (SELECT any_value(session) FROM used_columns) || ' kind=' || getvariable('kind')
    || ' l2=' || getvariable('l2')::DOUBLE || ' reveal=' || getvariable('reveal') || ' steps=' || getvariable('steps')
    || ' accept_disclosure=' || getvariable('accept_disclosure');
SET VARIABLE training = getvariable('session') || ' ' || getvariable('kind');

-- What is opened to a party: weights, of which no more than 36 bits are sent, 20 of them behind the point, and the check, of 18 bits. A
-- weight is below the root of 2^steps, since no eigenvalue is smaller that the check lets pass.
SELECT require_hidden(getvariable('accept_disclosure'), 18 + 36 * greatest(count(*) FILTER (seen_by IN (getvariable('me'), 'both')),
                                                                           count(*) FILTER (seen_by IN (getvariable('peer'), 'both'))),
                      any_value(coalesce(common, rows)))
FROM regression_features;

-- include ../shared/agree.sql

-- random symmetric matrices and vectors, for each step one, in two parts
CREATE OR REPLACE TEMP TABLE regression_masks AS
    SELECT step, square_masks(getvariable('size')) AS masks FROM range(1, getvariable('steps') + 1) t(step);
