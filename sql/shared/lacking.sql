-- Who lacks rows. After psi the guest alone does, and knows which. After private_id both do: nobody knows which rows are common, and both know how
-- many. That is so where the host lacks rows of the union; each party then has a row for each of the union's random ids, of weight 0 where it has no record.
-- Either party of private_id may be the host here. This stands behind the alignment, with `leads` true at the host, and leaves rows_lacking (name), the random ids of
-- the rows that we lack; both_lack; common_rows, how many are common, NULL where not both lack rows; and lacking_text, which both have to have alike.
SET VARIABLE lacking_query = CASE WHEN has_table(getvariable('alignment') || '_unmatched')
    THEN 'SELECT pid::VARCHAR AS name FROM ' || duckpriv_quoted(getvariable('alignment') || '_unmatched') ELSE 'SELECT NULL::VARCHAR AS name WHERE false' END;
CREATE OR REPLACE TEMP TABLE rows_lacking AS FROM query(getvariable('lacking_query'));
SET VARIABLE sizes_query = CASE WHEN has_table(getvariable('alignment') || '_sizes')
    THEN 'SELECT host_ids, guest_ids, both_ids, union_ids FROM ' || duckpriv_quoted(getvariable('alignment') || '_sizes')
    ELSE 'SELECT 0 AS host_ids, 0 AS guest_ids, 0 AS both_ids, 0 AS union_ids WHERE false' END;
SET VARIABLE sizes = (
    SELECT {'own': own, 'all': own + lacking, 'peers': host_ids + guest_ids - own, 'common': both_ids,
            'fit': own IN (host_ids, guest_ids) AND union_ids = own + lacking AND both_ids = host_ids + guest_ids - union_ids}
    FROM (SELECT count(*) AS sizes, any_value(host_ids) AS host_ids, any_value(guest_ids) AS guest_ids, any_value(both_ids) AS both_ids, any_value(union_ids) AS union_ids
          FROM query(getvariable('sizes_query'))),
         (SELECT count(*) AS own FROM query('FROM ' || duckpriv_quoted(getvariable('alignment')))), (SELECT count(*) AS lacking FROM rows_lacking)
    WHERE sizes = 1);
SET VARIABLE both_lack = CASE WHEN getvariable('leads') THEN (SELECT count(*) > 0 FROM rows_lacking)
                              ELSE coalesce(getvariable('sizes').peers < getvariable('sizes')."all", false) END;
SELECT require(NOT getvariable('both_lack') OR coalesce(getvariable('sizes').fit, false),
               'we lack rows, or the peer does, and a table ' || getvariable('alignment') || '_sizes that belongs to ' || getvariable('alignment') || ' is not there. After psi, its host is '
               || 'the host here, too; after private_id, keep all tables that it leaves'),
       require(NOT getvariable('both_lack') OR getvariable('sizes').common > 0, 'the parties have no row in common: private matching found none');
SET VARIABLE common_rows = CASE WHEN getvariable('both_lack') THEN getvariable('sizes').common END::BIGINT;
SET VARIABLE lacking_text = CASE WHEN getvariable('both_lack') THEN ' lacking=both common=' || getvariable('common_rows') ELSE '' END;
