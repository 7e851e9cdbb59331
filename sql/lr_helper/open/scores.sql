-- include ../shared/scores.sql

-- scores: our shares to the helper, which adds them up and sees the scores. With shares of 0 that it does not know: it
-- dealt all other masks in them, and could solve for features without
CALL exchange_send(getvariable('helper'), 'lrh/score-' || getvariable('iteration'), $$
    SELECT ring_add(z, (SELECT ring_sum(ring_scale(ring_random(seed, 'step-' || getvariable('iteration') || '-zero', getvariable('size')),
                                                   CASE WHEN party > getvariable('me') THEN 1 ELSE -1 END))
                        FROM lr_seeds WHERE party <> getvariable('helper'))) AS z
    FROM lr_score $$);
