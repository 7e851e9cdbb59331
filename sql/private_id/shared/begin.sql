SET VARIABLE id = duckpriv_written(getvariable('table'), getvariable('id'));

-- both parties have to run with the same settings; the peer's messages are checked for them
SET VARIABLE duckpriv_protocol = 'private_id/1';
SET VARIABLE duckpriv_parameters =
    'kind=' || getvariable('kind') || ' columns=' || len(split_names(getvariable('id')));
SET VARIABLE mask_key = 'private-id-mask-' || getvariable('session') || '-' || getvariable('me');
SET VARIABLE name_key = 'private-id-name-' || getvariable('session') || '-' || getvariable('me');
SET VARIABLE peer_key = 'private-id-of-' || getvariable('session') || '-' || getvariable('peer');

-- the results' names are free
SELECT require_result(getvariable('result'), ['id', 'pid']), require_result(getvariable('result') || '_unmatched', ['pid']),
       require_result(getvariable('result') || '_sizes', ['host_ids', 'guest_ids', 'both_ids', 'union_ids']),
       require(duckpriv_is_integer(getvariable('most_ids')) AND getvariable('most_ids')::BIGINT >= 0, 'most_ids is a whole number, 0 or more');

-- normalise the ids, and put the distinct ones in random order
CREATE OR REPLACE TEMP TABLE private_id_here AS
    FROM psi_ids(getvariable('table'), getvariable('id'), kind := getvariable('kind'));
SELECT require(count(*) = 0 OR count(psi_id) > 0, 'none of the ' || count(*) || ' rows has an id; is it the right column and kind?')
FROM private_id_here;
CREATE OR REPLACE TEMP TABLE private_id_sequence AS
    SELECT row_number() OVER (ORDER BY draw) AS seq, psi_id
    FROM (SELECT psi_id, random_id(psi_id) AS draw
          FROM (SELECT DISTINCT psi_id FROM private_id_here WHERE psi_id IS NOT NULL))
    ORDER BY seq;
SET VARIABLE ids = (SELECT count(*) FROM private_id_sequence);

-- what the owner of the table allows; how many are common is not known before
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')], uses: policy_uses(split_names(getvariable('id')), 'match'),
                       minimum: NULL::BIGINT, epsilon: NULL::DOUBLE};
-- include ../../shared/policy.sql
