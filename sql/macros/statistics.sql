CREATE MACRO normal_quantile(p) AS duckpriv_udf_normal_quantile(CAST(p AS DOUBLE));

CREATE MACRO normal_cdf(z) AS duckpriv_udf_normal_cdf(CAST(z AS DOUBLE));

-- squares - total^2 / n without the difference of two large numbers: with total = q n + r, total^2 / n = q (total + r) + r^2 / n.
CREATE MACRO sample_variance(n, total, squares) AS
    CASE WHEN n > 1 THEN
        (CAST(CAST(squares AS HUGEINT) - (CAST(total AS HUGEINT) // n) * (total + CAST(total AS HUGEINT) % n) AS DOUBLE)
         - CAST(CAST(total AS HUGEINT) % n AS DOUBLE) ** 2 / n) / (n - 1) END;

-- Two means of independent samples (Welch): their difference by the normal distribution, their ratio by the delta method.
CREATE MACRO lift_statistics(tbl, confidence := 0.95) AS TABLE
    SELECT figures.*, difference, standard_error, difference - z * standard_error AS difference_low, difference + z * standard_error AS difference_high,
           lift, lift - z * lift_error AS lift_low, lift + z * lift_error AS lift_high,
           2 * duckpriv.main.normal_cdf(-abs(difference) / nullif(standard_error, 0)) AS p_value, difference * figures.persons_treatment AS incremental
    FROM (SELECT figures, CAST(mean_treatment - mean_control AS DOUBLE) AS difference,
                 sqrt(variance_treatment / persons_treatment + variance_control / persons_control) AS standard_error,
                 mean_treatment / nullif(mean_control, 0) - 1 AS lift,
                 sqrt(variance_treatment / persons_treatment + (mean_treatment / nullif(mean_control, 0)) ** 2 * variance_control / persons_control)
                     / abs(nullif(mean_control, 0)) AS lift_error,
                 duckpriv.main.normal_quantile(0.5 + confidence / 2) AS z
          FROM query_table(tbl) AS figures);
