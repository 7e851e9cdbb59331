-- the last step, too, may have been too long; a little more than what a step allows, for the last few rows
SELECT require(coalesce(bool_and(isfinite(weight)), false), 'the training diverges: a weight is no number any more; start again with a smaller learning_rate')
FROM lr_weights;
SELECT require(coalesce(max(abs(list_dot_product(x, w))) < 64, false), 'a score of ours is beyond 64 after the last step: the training diverges; '
               || 'start again with a smaller learning_rate')
FROM lr_rows, (SELECT list(weight ORDER BY feature) AS w FROM lr_weights);
