CREATE OR REPLACE TEMP TABLE lr_shared (party VARCHAR, position BIGINT, share UBIGINT);
SET VARIABLE shared_query = (
    CASE WHEN has_table(getvariable('model') || '_share')
         THEN 'SELECT party, position, share FROM "${model}_share" WHERE training = (SELECT any_value(training) FROM "${model}")'
         ELSE 'SELECT NULL::VARCHAR, NULL::BIGINT, NULL::UBIGINT WHERE false' END);
INSERT INTO lr_shared FROM query(getvariable('shared_query'));
CREATE OR REPLACE TEMP TABLE lr_weights AS
    SELECT CASE WHEN w IS NOT NULL THEN w ELSE (SELECT list(share ORDER BY p.start, s.position) FROM lr_shared s JOIN lr_parties p USING (party)) END AS w
    FROM lr_own;
SELECT require(coalesce(len(w), 0) = getvariable('total'), 'the model''s weights do not fit to the features of the parties') FROM lr_weights;
