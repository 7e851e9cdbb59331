-- the matrix and the right side, in shares
CREATE OR REPLACE TEMP TABLE regression_state AS
    SELECT quadratic_begin(matrix, vector, getvariable('factor'), getvariable('l2')::DOUBLE,
                           (SELECT any_value(rows) FROM regression_columns) * 1099511627776.0::DOUBLE, getvariable('leads')) AS state
    FROM (SELECT wide_encode(list(share ORDER BY f.place, g.place)) AS matrix
          FROM "${moments}_share" s JOIN regression_features f ON s.row = f.position JOIN regression_features g ON s."column" = g.position),
         (SELECT wide_encode(list(share ORDER BY place)) AS vector
          FROM "${moments}_share" s JOIN regression_features f ON s.row = f.position WHERE s."column" = getvariable('label').position);
CREATE OR REPLACE TEMP TABLE regression_log (iteration BIGINT, loss DOUBLE, gradient_norm DOUBLE, seconds DOUBLE, bytes BIGINT);
SET VARIABLE step = 0;
