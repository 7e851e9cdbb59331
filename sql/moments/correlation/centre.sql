-- The moments, divided by the number of all rows: by 2^shift / factor.
SET VARIABLE rows = (SELECT any_value(rows) FROM used_columns);
SET VARIABLE shift = 28 + ceil(log2(getvariable('rows')))::BIGINT;
SET VARIABLE factor = round(2.0::DOUBLE ** getvariable('shift') / getvariable('rows'))::UHUGEINT;
CREATE OR REPLACE TEMP TABLE correlation_moments AS
    SELECT unnest(places) AS place, unnest(wide_decode(vector)) AS share
    FROM (SELECT places, wide_truncate(wide_mul(vector, wide_encode(list_resize([]::UHUGEINT[], len(places), getvariable('factor')))),
                                       getvariable('shift')::INTEGER, getvariable('leads')) AS vector
          FROM (SELECT list({'i': row - 1, 'j': "column" - 1} ORDER BY row, "column") AS places, wide_encode(list(share ORDER BY row, "column")) AS vector
                FROM "${moments}_share" WHERE row <= "column"));

-- The root of all rows by common ones, which the guest knows: by it, sums become means times a root of the share of common rows. Then
-- covariances times that share are the moments less products of two such means.
SET VARIABLE root = (SELECT CASE WHEN getvariable('leads') THEN 0.0::DOUBLE
                                 ELSE sqrt(2.0::DOUBLE ** getvariable('shift') / (getvariable('factor')::DOUBLE * any_value(common))) END FROM used_columns);
SET VARIABLE floor = (SELECT CASE WHEN getvariable('leads') THEN 0 ELSE round(2.0::DOUBLE ** 30 * any_value(common) / any_value(rows)) END::UHUGEINT
                      FROM used_columns);
SET VARIABLE step = 0;
SET VARIABLE bits_off = 50;
CREATE OR REPLACE TEMP TABLE product_factors AS
    SELECT 1 AS part, wide_encode(list(share ORDER BY place.j)) AS x,
           wide_encode(list_resize([]::UHUGEINT[], count(*)::INTEGER, round(getvariable('root') * 2.0::DOUBLE ** 50)::UHUGEINT)) AS y
    FROM correlation_moments WHERE place.i = 0 AND place.j > 0;
SET VARIABLE release = {what: CASE WHEN getvariable('reveal') = CASE WHEN getvariable('leads') THEN 'host' ELSE 'guest' END THEN 'how many columns'
                                   ELSE 'correlations' || CASE getvariable('names') WHEN 'yes' THEN ', names of columns' ELSE '' END END,
                        numbers: (SELECT count(*) FROM correlation_pairs), alignment: NULL::VARCHAR};
-- include ../../shared/release.sql

-- include product.sql
CREATE OR REPLACE TEMP TABLE correlation_means AS
    SELECT generate_subscripts(shares, 1) AS place, unnest(shares) AS share FROM (SELECT wide_decode(z) AS shares FROM product_results);
SET VARIABLE bits_off = 40;
CREATE OR REPLACE TEMP TABLE product_factors AS
    SELECT 1 AS part, wide_encode(list(a.share ORDER BY pair)) AS x, wide_encode(list(b.share ORDER BY pair)) AS y
    FROM correlation_pairs p JOIN correlation_means a ON a.place = p.i JOIN correlation_means b ON b.place = p.j;
-- include product.sql
CREATE OR REPLACE TEMP TABLE correlation_matrix AS
    SELECT wide_sub(moments, z) AS matrix
    FROM product_results, (SELECT wide_encode(list(share ORDER BY place.i, place.j)) AS moments FROM correlation_moments WHERE place.i > 0);

-- Of the hidden variances the inverse roots: p = v y² and y, which begins with 1. To variances that are nearly 0, and with roundings
-- perhaps below it, a floor is added: a 1024th of the variance over all rows.
CREATE OR REPLACE TEMP TABLE correlation_newton AS
    SELECT wide_encode(list(share ORDER BY i)) AS variances, wide_add(variances, wide_encode(list_resize([]::UHUGEINT[], count(*)::INTEGER, getvariable('floor')))) AS p,
           wide_encode(list_resize([]::UHUGEINT[], count(*)::INTEGER, CASE WHEN getvariable('leads') THEN 1073741824 ELSE 0 END::UHUGEINT)) AS y,
           wide_encode(list_resize([]::UHUGEINT[], count(*)::INTEGER, CASE WHEN getvariable('leads') THEN 3298534883328 ELSE 0 END::UHUGEINT)) AS three
    FROM (SELECT generate_subscripts(shares, 1) AS pair, unnest(shares) AS share FROM (SELECT wide_decode(matrix) AS shares FROM correlation_matrix))
         JOIN correlation_pairs USING (pair)
    WHERE i = j AND i IN (SELECT place FROM correlation_columns WHERE hidden);
SET VARIABLE k = 0;
SET VARIABLE bits_off = 41;
