-- Who lacks rows. After psi the guest alone does, and knows which. After private_id both do: nobody knows which rows are common, and both know how
-- many. That is so where the host lacks rows of the union; each party then has a row for each of the union's random ids, of weight 0 where it has no record.
-- It stands behind the alignment, with `leads` true at the host, and leaves rows_lacking (name), the random ids of the rows that we lack; both_lack; common_rows, how
-- many are common, NULL where not both lack rows; and lacking_text, which both have to have alike.
SET VARIABLE lacking_query = CASE WHEN has_table(getvariable('alignment') || '_unmatched') THEN 'SELECT pid::VARCHAR AS name FROM "${alignment}_unmatched"'
                                  ELSE 'SELECT NULL::VARCHAR AS name WHERE false' END;
CREATE OR REPLACE TEMP TABLE rows_lacking AS FROM query(getvariable('lacking_query'));
SET VARIABLE sizes_query = CASE WHEN has_table(getvariable('alignment') || '_sizes') THEN 'SELECT host_ids, guest_ids, both_ids, union_ids FROM "${alignment}_sizes"'
                                ELSE 'SELECT 0 AS host_ids, 0 AS guest_ids, 0 AS both_ids, 0 AS union_ids WHERE false' END;
SET VARIABLE alignment_sizes = (SELECT CASE WHEN count(*) = 1 THEN any_value({'host': host_ids, 'guest': guest_ids, 'common': both_ids, 'all': union_ids}) END
                                FROM query(getvariable('sizes_query')));
SET VARIABLE both_lack = CASE WHEN getvariable('leads') THEN (SELECT count(*) > 0 FROM rows_lacking)
                              ELSE coalesce(getvariable('alignment_sizes').host < getvariable('alignment_sizes')."all", false) END;
SELECT require(NOT getvariable('both_lack')
               OR coalesce(sizes."all" = own + (SELECT count(*) FROM rows_lacking) AND sizes.common = sizes.host + sizes.guest - sizes."all"
                           AND own = CASE WHEN getvariable('leads') THEN sizes.host ELSE sizes.guest END, false),
               'the table ' || getvariable('alignment') || '_sizes does not belong to ' || getvariable('alignment')
               || ', or there is none; run private matching again, and keep all tables that it leaves'),
       require(NOT getvariable('both_lack') OR sizes.common > 0, 'the parties have no row in common: private matching found none')
FROM (SELECT count(*) AS own, getvariable('alignment_sizes') AS sizes FROM "${alignment}");
SET VARIABLE common_rows = CASE WHEN getvariable('both_lack') THEN getvariable('alignment_sizes').common END::BIGINT;
SET VARIABLE lacking_text = CASE WHEN getvariable('both_lack') THEN ' lacking=both common=' || getvariable('common_rows') ELSE '' END;
