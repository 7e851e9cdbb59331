-- the matrix and the right side, in shares
CREATE OR REPLACE TEMP TABLE regression_state AS
    SELECT quadratic_begin(matrix, vector, getvariable('factor'), getvariable('l2')::DOUBLE, rows * 1099511627776.0::DOUBLE,
                           -- the guest knows how many rows are common
                           CASE WHEN getvariable('leads') THEN 0.0::DOUBLE ELSE getvariable('l2')::DOUBLE * common * 1099511627776.0::DOUBLE END,
                           getvariable('leads')) AS state
    FROM (SELECT any_value(rows) AS rows, any_value(common) AS common FROM used_columns),
         (SELECT wide_encode(list(share ORDER BY f.place, g.place)) AS matrix
          FROM "${moments}_share" s JOIN regression_features f ON s.row = f.position JOIN regression_features g ON s."column" = g.position),
         (SELECT wide_encode(list(share ORDER BY place)) AS vector
          FROM "${moments}_share" s JOIN regression_features f ON s.row = f.position WHERE s."column" = getvariable('label').position);
CREATE OR REPLACE TEMP TABLE regression_log (iteration BIGINT, loss DOUBLE, gradient_norm DOUBLE, seconds DOUBLE, bytes BIGINT);
SET VARIABLE step = 0;

SET VARIABLE release = {what: CASE WHEN (SELECT bool_or(seen_by IN (getvariable('peer'), 'both')) FROM regression_features) THEN 'weights' ELSE 'whether there are weights' END,
                        numbers: (SELECT count(*) FROM regression_features WHERE seen_by IN (getvariable('peer'), 'both')),
                        alignment: NULL::VARCHAR};
-- include ../../shared/release.sql
