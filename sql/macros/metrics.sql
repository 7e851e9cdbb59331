-- The text of the query for a scored table: probability and 0/1 label of each row, checked.
CREATE MACRO duckpriv_scored_query(tbl, score_column, label_column) AS
    'SELECT CASE WHEN s BETWEEN 0 AND 1 THEN s ELSE error(''DUCKPRIV_INVALID_VALUE: a score is NULL or not from 0 to 1'') END AS s, '
    || 'CASE WHEN y IN (0, 1) THEN y ELSE error(''DUCKPRIV_INVALID_VALUE: a label is NULL or not 0 or 1'') END AS y '
    || 'FROM (SELECT duckpriv.main.duckpriv_exact_column(' || duckpriv.main.duckpriv_quoted(duckpriv.main.plain_name(score_column))
    || ') AS s, duckpriv.main.duckpriv_exact_column(' || duckpriv.main.duckpriv_quoted(duckpriv.main.plain_name(label_column))
    || ') AS y FROM ' || duckpriv.main.duckpriv_source(tbl) || ')';

-- One row for each score that occurs, from the highest down: what a threshold there would give.
CREATE MACRO roc(tbl, score := 'score', label := 'label') AS TABLE
    SELECT s AS threshold,
           sum(positives) OVER (ORDER BY s DESC) / all_positives AS true_positive_rate,
           sum(negatives) OVER (ORDER BY s DESC) / all_negatives AS false_positive_rate
    FROM (SELECT s, sum(y) AS positives, sum(1 - y) AS negatives
          FROM query(duckpriv.main.duckpriv_scored_query(tbl, score, label)) GROUP BY s),
         (SELECT CASE WHEN sum(y) > 0 THEN sum(y) ELSE error('DUCKPRIV_INVALID_VALUE: no label is 1') END AS all_positives,
                 CASE WHEN sum(1 - y) > 0 THEN sum(1 - y) ELSE error('DUCKPRIV_INVALID_VALUE: no label is 0') END AS all_negatives
          FROM query(duckpriv.main.duckpriv_scored_query(tbl, score, label)))
    ORDER BY threshold DESC;

-- The area below the ROC curve by trapezoids: ties count half.
CREATE MACRO auc(tbl, score := 'score', label := 'label') AS (
    SELECT sum((t + before_t) / 2 * (f - before_f))
    FROM (SELECT true_positive_rate AS t, false_positive_rate AS f,
                 lag(true_positive_rate, 1, 0) OVER (ORDER BY threshold DESC) AS before_t,
                 lag(false_positive_rate, 1, 0) OVER (ORDER BY threshold DESC) AS before_f
          FROM duckpriv.main.roc(tbl, score := score, label := label)));

CREATE MACRO ks(tbl, score := 'score', label := 'label') AS (
    SELECT max(abs(true_positive_rate - false_positive_rate))
    FROM duckpriv.main.roc(tbl, score := score, label := label));

-- Scores of 0 and 1 count as 1e-15 and 1 - 1e-15.
CREATE MACRO log_loss(tbl, score := 'score', label := 'label') AS (
    SELECT -avg(CASE y WHEN 1 THEN ln(greatest(s, 1e-15)) ELSE ln(greatest(1 - s, 1e-15)) END)
    FROM query(duckpriv.main.duckpriv_scored_query(tbl, score, label)));

CREATE MACRO confusion(tbl, threshold := 0.5, score := 'score', label := 'label') AS TABLE
    SELECT tp AS true_positives, fp AS false_positives, fn AS false_negatives, tn AS true_negatives,
           CAST(tp + tn AS DOUBLE) / nullif(tp + fp + fn + tn, 0) AS accuracy,
           CAST(tp AS DOUBLE) / nullif(tp + fp, 0) AS "precision", CAST(tp AS DOUBLE) / nullif(tp + fn, 0) AS recall
    FROM (SELECT count(*) FILTER (s >= CASE WHEN isnan(CAST(threshold AS DOUBLE)) IS NOT DISTINCT FROM false THEN threshold
                                            ELSE error('DUCKPRIV_INVALID_VALUE: the threshold has to be a number') END AND y = 1) AS tp, count(*) FILTER (s >= threshold AND y = 0) AS fp,
                 count(*) FILTER (s < threshold AND y = 1) AS fn, count(*) FILTER (s < threshold AND y = 0) AS tn
          FROM query(duckpriv.main.duckpriv_scored_query(tbl, score, label)));

-- A score on the border of two bins is in the upper one, the score 1 in the last.
CREATE MACRO calibration(tbl, bins := 10, score := 'score', label := 'label') AS TABLE
    SELECT bin / bins AS lower, (bin + 1) / bins AS upper, count(*) AS rows, avg(s) AS mean_score,
           avg(y) AS positive_rate
    FROM (SELECT s, y, least(b + (s >= (b + 1) / bins)::INTEGER, bins - 1) AS bin
          FROM (SELECT s, y, CASE WHEN bins > 0 THEN floor(s * bins)
                                  ELSE error('DUCKPRIV_INVALID_VALUE: bins has to be more than 0') END AS b
                FROM query(duckpriv.main.duckpriv_scored_query(tbl, score, label))))
    GROUP BY bin ORDER BY lower ASC;
