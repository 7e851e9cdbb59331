-- a large residual stands out of the noise, and a peer that changes our gradient could make ours large
SELECT require(max(abs(score)) < 16, 'a score of ours is beyond 16: the training diverges, or a row is far from all others; start again '
               || 'with a smaller learning_rate, or take the logarithm of columns with few large numbers')
FROM lr_batch;
