-- results: correlations, NULL for columns that hardly vary over the common rows, and variance inflation of the features among each other
CREATE OR REPLACE TEMP TABLE correlation_opened AS
    SELECT pair, i, j, CASE WHEN i = j AND with_hidden
                            THEN share_reveal(share_mul_public(own.share, 16777216), share_mul_public(theirs.share, 16777216), scale := 44)
                            ELSE share_reveal(share_mul_public(own.share, 4398046511104), share_mul_public(theirs.share, 4398046511104), scale := 62) END AS r
    FROM correlation_shares own
    JOIN exchange_recv(getvariable('peer'), 'correlation/shares', columns := 'pair BIGINT, share UBIGINT') theirs USING (pair)
    JOIN correlation_pairs USING (pair);
SELECT require((SELECT list(pair ORDER BY pair) FROM correlation_opened) = (SELECT list(pair ORDER BY pair) FROM correlation_pairs),
               'the peer did not send its shares of all correlations');
CREATE OR REPLACE TEMP TABLE correlation_varying AS
    SELECT place, r AS variance FROM correlation_columns JOIN correlation_opened ON i = place AND j = place WHERE abs(r - 1) < 0.01;
SELECT require(coalesce(bool_and(abs(r) < 1.01), true), 'the correlations make no sense: the peer did not do what the protocol says')
FROM correlation_opened JOIN correlation_varying a ON a.place = i JOIN correlation_varying b ON b.place = j;
CREATE OR REPLACE TABLE "${result}" AS
    SELECT a.place AS position, a.name AS feature, b.place AS other_position, b.name AS other,
           CASE WHEN a.place = b.place AND v.variance IS NOT NULL THEN 1
                WHEN v.variance * w.variance IS NOT NULL THEN greatest(-1, least(1, r / sqrt(v.variance * w.variance))) END::DOUBLE AS correlation
    FROM correlation_columns a, correlation_columns b
    JOIN correlation_opened o ON o.i = least(a.place, b.place) AND o.j = greatest(a.place, b.place)
    LEFT JOIN correlation_varying v ON v.place = a.place LEFT JOIN correlation_varying w ON w.place = b.place
    ORDER BY a.place, b.place;
CREATE OR REPLACE TABLE "${result}_vif" AS
    WITH used AS (SELECT place FROM correlation_varying JOIN correlation_columns USING (place) WHERE NOT starts_with(role, 'label')),
         inflation AS (SELECT unnest(places) AS place, unnest(variance_inflation(matrix)) AS vif
                       FROM (SELECT list(correlation ORDER BY position, other_position) AS matrix FROM "${result}"
                             WHERE position IN (FROM used) AND other_position IN (FROM used)),
                            (SELECT list(place ORDER BY place) AS places FROM used))
    SELECT place AS position, party, name AS feature, vif FROM correlation_columns LEFT JOIN inflation USING (place)
    WHERE NOT starts_with(role, 'label') ORDER BY place;
