-- What is opened: to each party its weights, numbers below 8 with 20 fractional bits, and to the host the losses, which
-- are of different batches: 62 bits each, unless labels are 0 and 1 and the noise is of their size. A party's rows are
-- those that it has a record of; with several guests nobody knows how many all have. With activation=blind, of all rows
-- together, for every 256 of a batch what tells whether scores are in the range: below 0.03, with noise of deviation 0.07.
SELECT require_hidden(getvariable('accept_disclosure'),
                      CASE WHEN getvariable('reveal') = 'none' THEN 0 WHEN getvariable('kind') = 'logistic' THEN 24 ELSE 44 END
                      * (SELECT max(width) FROM lr_parties)
                      + CASE WHEN getvariable('with_loss') THEN getvariable('iterations')::BIGINT ELSE 0 END
                        * CASE WHEN getvariable('kind') = 'logistic' AND getvariable('id') <> '' THEN noisy_bits(getvariable('noise')::DOUBLE) ELSE 62 END,
                      CASE WHEN getvariable('id') = '' AND len(getvariable('guest_list')) > 1 THEN 0 ELSE getvariable('records')::BIGINT END),
       require_hidden(getvariable('accept_disclosure'),
                      CASE WHEN getvariable('activation') = 'blind' THEN 0.12 * getvariable('iterations')::BIGINT * ceil(getvariable('largest_batch') / 256) ELSE 0 END,
                      coalesce(getvariable('common_rows'), getvariable('rows'))::BIGINT);
