-- what the owner of the table allows
SET VARIABLE policy = {tbl: getvariable('table'), peers: [getvariable('peer')],
                       uses: policy_uses(getvariable('own_groups') || getvariable('own_day'), 'group') || policy_uses(list_distinct(getvariable('own_measures')), 'measure'),
                       minimum: getvariable('minimum')::BIGINT, epsilon: NULL::DOUBLE};
-- include ../../shared/policy.sql
SET VARIABLE release = {what: CASE WHEN getvariable('peer_receives') THEN 'counts and sums by treatment, control and segment' ELSE 'which counts by group are below the minimum' END,
                        numbers: NULL::BIGINT, alignment: getvariable('alignment')};
