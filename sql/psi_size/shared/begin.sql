SET VARIABLE id = duckpriv_written(getvariable('table'), getvariable('id'));

-- settings; the peer's messages are checked for those that have to be the same at both
SELECT require(NOT list_contains(split_names(getvariable('id')), 'psi_size_list'), 'the id column has a name that is needed here, psi_size_list; rename it in a view'),
       require(getvariable('to') IN ('host', 'guest', 'both'), 'to is host, guest or both'),
       require(duckpriv_is_integer(getvariable('minimum')) AND getvariable('minimum')::BIGINT BETWEEN 0 AND 1000000, 'minimum is a whole number from 0 to 1000000'),
       require(duckpriv_is_integer(getvariable('most_ids')) AND getvariable('most_ids')::BIGINT >= 0, 'most_ids is a whole number, 0 or more'),
       require(duckpriv_is_integer(getvariable('max_lists')) AND getvariable('max_lists')::BIGINT BETWEEN 1 AND 1000, 'max_lists is a whole number from 1 to 1000'),
       require_result(getvariable('result'), ['host_list', 'guest_list', 'host_ids', 'guest_ids', 'both_ids']);
SET VARIABLE duckpriv_protocol = 'psi_size/1';
SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind') || ' columns=' || len(split_names(getvariable('id')))
    || ' to=' || getvariable('to') || ' minimum=' || getvariable('minimum');
-- the guest counts, unless the host alone gets the result
SET VARIABLE counts = getvariable('leads') = (getvariable('to') = 'host');
SET VARIABLE receives = getvariable('to') IN ('both', CASE WHEN getvariable('leads') THEN 'host' ELSE 'guest' END);
SET VARIABLE minimum = getvariable('minimum')::BIGINT;

-- our rows: the ids, and the name of the list
SET VARIABLE list_column = CASE WHEN getvariable('list') = '' THEN NULL ELSE plain_name(getvariable('list')) END;
CREATE OR REPLACE TEMP TABLE psi_size_rows AS
    FROM query('SELECT ' || coalesce('CAST(' || duckpriv_quoted(getvariable('list_column')) || ' AS VARCHAR)', '''all''') || ' AS psi_size_list, '
               || array_to_string(list_transform(split_names(getvariable('id')), lambda c: duckpriv_quoted(c)), ', ')
               || ' FROM ' || duckpriv_source(getvariable('table')));
CREATE OR REPLACE TEMP TABLE psi_size_lists AS
    SELECT row_number() OVER (ORDER BY psi_size_list) AS list, psi_size_list AS name
    FROM psi_size_rows WHERE psi_size_list IS NOT NULL GROUP BY psi_size_list;
SET VARIABLE lists = (SELECT count(*) FROM psi_size_lists);
SELECT require(getvariable('lists') > 0, 'no row has an id in a list; is it the right column?'),
       require(getvariable('lists') <= getvariable('max_lists')::BIGINT, 'there are ' || getvariable('lists') || ' lists, and max_lists allows '
               || getvariable('max_lists') || '; take fewer in a view, or set max_lists'),
       require(bool_and(length(name) <= 1000), 'a list has a name of more than 1,000 letters; shorten such names in a view')
FROM psi_size_lists;
CREATE OR REPLACE TEMP TABLE psi_size_here (list BIGINT, psi_id VARCHAR);
SET VARIABLE k = 0;

-- part ids while getvariable('k') < getvariable('lists')

-- the distinct ids of each list
SET VARIABLE k = getvariable('k') + 1;
CREATE OR REPLACE TEMP TABLE psi_size_of_list AS
    SELECT * EXCLUDE (psi_size_list) FROM psi_size_rows WHERE psi_size_list = (SELECT name FROM psi_size_lists WHERE list = getvariable('k'));
INSERT INTO psi_size_here
    SELECT DISTINCT getvariable('k'), psi_id FROM psi_ids('psi_size_of_list', getvariable('id'), kind := getvariable('kind')) WHERE psi_id IS NOT NULL;

-- part allowed

DROP TABLE psi_size_rows;
DROP TABLE psi_size_of_list;
-- lists that have ids
CREATE OR REPLACE TEMP TABLE psi_size_numbered AS
    SELECT list AS old, row_number() OVER (ORDER BY list) AS list, name, ids
    FROM psi_size_lists JOIN (SELECT list, count(*) AS ids FROM psi_size_here GROUP BY list) USING (list);
CREATE OR REPLACE TEMP TABLE psi_size_here AS
    SELECT n.list, psi_id FROM psi_size_here h JOIN psi_size_numbered n ON n.old = h.list;
CREATE OR REPLACE TEMP TABLE psi_size_own_lists AS SELECT list, name, ids FROM psi_size_numbered;
SET VARIABLE lists = (SELECT count(*) FROM psi_size_own_lists);
SELECT require(getvariable('lists') > 0, 'no row has an id; is it the right column and kind?');

-- What the owner of the table allows. Who counts tells sizes of its lists, and with to=both counts that are not below the minimum; the other one
-- cannot tell how few a count is about.
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(split_names(getvariable('id')), 'match')
                             || policy_uses(CASE WHEN getvariable('list_column') IS NULL THEN [] ELSE [getvariable('list_column')] END, 'group'),
                       minimum: (SELECT CASE WHEN getvariable('counts') THEN CASE WHEN getvariable('to') = 'both' THEN least(min(ids), getvariable('minimum')) ELSE min(ids) END END
                                 FROM psi_size_own_lists), epsilon: NULL::DOUBLE};
-- include ../../shared/policy.sql
