-- what the owner of the table allows: without columns, that the common rows are counted
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(getvariable('own_groups'), 'group') || policy_uses(getvariable('own_measures'), 'measure')
                             || policy_uses(CASE WHEN len(getvariable('own_groups')) + len(getvariable('own_measures')) = 0 THEN split_names(getvariable('id_column')) ELSE [] END, 'match'),
                       minimum: getvariable('minimum')::BIGINT, epsilon: CASE WHEN getvariable('eps') > 0 THEN getvariable('eps') END};
-- include ../../shared/policy.sql
SET VARIABLE release = {what: CASE WHEN getvariable('peer_receives') THEN 'counts and sums by group' ELSE 'which counts by group are below the minimum' END,
                        numbers: NULL::BIGINT, alignment: getvariable('alignment')};
