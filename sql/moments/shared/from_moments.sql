-- the moments that this is computed from
SELECT require(has_table(getvariable('moments') || '_share') AND has_table(getvariable('moments') || '_columns'),
               'there are no tables ' || getvariable('moments') || '_share and _columns; run moments/host or moments/guest first, or name its result '
               || 'with --set moments=NAME');
-- moments of before private_id do not say that both lack rows
CREATE OR REPLACE TEMP TABLE used_columns AS FROM "${moments}_columns" UNION ALL BY NAME SELECT false AS both_lack WHERE false;
SET VARIABLE both_lack = (SELECT coalesce(bool_or(both_lack), false) FROM used_columns);
SELECT require(count(DISTINCT session) = 1 AND count(DISTINCT position) = count(*) AND bool_and(party IN (getvariable('me'), getvariable('peer'))),
               'the moments are not of one session with ' || getvariable('peer')),
       require(count(*) FILTER (role = 'intercept' AND (party = getvariable('me')) = getvariable('leads')) = 1,
               'the host of the moments is the host of what is computed from them, too')
FROM used_columns;

-- include ../../shared/ledger.sql

-- what the owner of the table allows that the moments are of
SET VARIABLE policy = (
    SELECT {tbl: any_value(table_name), peers: [getvariable('peer')], uses: coalesce(list_distinct(list_filter(flatten(list(columns)), lambda c: c.use = 'train')), policy_uses([], 'train')),
            minimum: (SELECT any_value(common) FROM used_columns), epsilon: NULL::DOUBLE}
    FROM duckpriv_releases WHERE session = (SELECT any_value(session) FROM used_columns) AND script IN ('moments/host', 'moments/guest'));
-- include ../../shared/policy.sql
