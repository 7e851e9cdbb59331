-- the shares beside the rows; weights of 0
CREATE OR REPLACE TEMP TABLE lr_data AS
    SELECT row, x, y, m, my
    FROM lr_rows
    JOIN (SELECT generate_subscripts(m.share, 1) AS row, unnest(m.share) AS m, unnest(my.share) AS my
          FROM lr_masks m, lr_masks my WHERE m.stage = getvariable('stages') - 1 AND my.stage = getvariable('stages')) USING (row);
CREATE OR REPLACE TEMP TABLE lr_order (epoch BIGINT, row BIGINT, place BIGINT);
CREATE OR REPLACE TEMP TABLE lr_weights AS SELECT list_resize([]::UBIGINT[], getvariable('total'), 0::UBIGINT) AS w;
CREATE OR REPLACE TEMP TABLE lr_log (iteration BIGINT, loss DOUBLE, gradient_norm DOUBLE, seconds DOUBLE, bytes BIGINT);
SET VARIABLE iteration = 0;
