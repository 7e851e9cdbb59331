-- our ids by key, as they are compared
SET VARIABLE id = duckpriv_written(getvariable('table'), getvariable('id'));
SET VARIABLE id_keys = duckpriv_key_columns(getvariable('id'));
SET VARIABLE id_columns = flatten(getvariable('id_keys'));
SET VARIABLE keys = len(getvariable('id_keys'));
SELECT require(getvariable('keys') = 1 OR getvariable('keys') <= 8 AND bool_and(columns < 10), 'no more than 8 keys go, each of no more than 9 columns'),
       require(getvariable('duplicates') IN ('', 'refuse', 'first', 'all'), 'duplicates is refuse, first or all'),
       require(getvariable('scheme') IN ('rsa', 'oprf'), 'scheme is rsa or oprf')
FROM (SELECT len(unnest(getvariable('id_keys'))) AS columns);
SET VARIABLE duplicates = coalesce(nullif(getvariable('duplicates'), ''), CASE WHEN getvariable('keys') = 1 THEN 'all' ELSE 'refuse' END);

-- both parties have to run with the same settings; the peer's messages are checked for them
SET VARIABLE duckpriv_protocol = 'psi/1';
SET VARIABLE duckpriv_parameters = 'kind=' || getvariable('kind') || ' columns=' || len(getvariable('id_columns')) || ' scheme=' || getvariable('scheme');

-- part several if getvariable('keys') > 1

-- with several keys these are how many columns each has, and whether ids that repeat match all of the other party's
SET VARIABLE duckpriv_parameters =
    'kind=' || getvariable('kind') || ' columns-of-keys=' || array_to_string(list_transform(getvariable('id_keys'), lambda columns: len(columns)), '')
    || ' all=' || (getvariable('duplicates') = 'all')::INTEGER || ' scheme=' || getvariable('scheme');

-- part ids

-- the results' names are free
SELECT require_result(getvariable('result'), ['id', 'pid']), require_result(getvariable('result') || '_unmatched', ['pid']);

-- normalise the ids
CREATE OR REPLACE TEMP TABLE psi_ids_here AS
    SELECT row_number() OVER () AS nth, id, psi_ids
    FROM psi_keys(getvariable('table'), getvariable('id'), kind := getvariable('kind'));
CREATE OR REPLACE TEMP TABLE psi_parts AS
    SELECT nth, generate_subscripts(psi_ids, 1) AS key, unnest(psi_ids) AS psi_id FROM psi_ids_here;
SELECT require(count(*) = 0 OR count(psi_id) > 0,
               'none of the ' || count(DISTINCT nth) || ' rows has an id; is it the right column and kind?')
FROM psi_parts;
CREATE OR REPLACE TEMP TABLE psi_counts AS
    SELECT key, count(DISTINCT psi_id) AS distinct_ids, count(psi_id) - count(DISTINCT psi_id) AS repeated FROM psi_parts GROUP BY key;
SET VARIABLE rows = (SELECT count(*) FROM psi_ids_here);
SET VARIABLE without_id = getvariable('rows') - (SELECT count(DISTINCT nth) FROM psi_parts WHERE psi_id IS NOT NULL);

-- part refuse if getvariable('duplicates') = 'refuse'

SELECT require(count(*) = 0, string_agg(repeated || ' rows repeat an id of another row in ' || array_to_string(getvariable('id_keys')[key], ', '), ', and ')
               || '; let each id stand in one row, or set duplicates=first (it belongs to the first row that has it) or duplicates=all')
FROM psi_counts WHERE repeated > 0;

-- part first if getvariable('duplicates') = 'first'

-- an id belongs to the first row that has it, and the others have none
CREATE OR REPLACE TEMP TABLE psi_parts AS
    SELECT nth, key, f.psi_id
    FROM psi_parts LEFT JOIN (SELECT psi_id, min(nth) AS nth FROM psi_parts WHERE psi_id IS NOT NULL GROUP BY psi_id) f USING (psi_id, nth);
CREATE OR REPLACE TEMP TABLE psi_ids_here AS
    SELECT nth, id, firsts.psi_ids
    FROM psi_ids_here JOIN (SELECT nth, list(psi_id ORDER BY key) AS psi_ids FROM psi_parts GROUP BY nth) firsts USING (nth);

-- part records

-- A record is what rows with the same ids are. They are in random order, since their numbers may be sent.
CREATE OR REPLACE TEMP TABLE psi_records AS
    SELECT row_number() OVER (ORDER BY draw) AS record, psi_ids
    FROM (SELECT psi_ids, random_id(psi_ids) AS draw FROM (SELECT DISTINCT psi_ids FROM psi_ids_here WHERE list_count(psi_ids) > 0));
CREATE OR REPLACE TEMP TABLE psi_parts AS
    SELECT record, generate_subscripts(psi_ids, 1) AS key, unnest(psi_ids) AS psi_id FROM psi_records;
