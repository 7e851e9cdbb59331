SET VARIABLE plan = 'activation=' || getvariable('activation') || ' kind=' || getvariable('kind') || ' loss=' || getvariable('with_loss')
    || ' rows=' || getvariable('rows') || ' batches=' || getvariable('batches') || ' iterations=' || getvariable('iterations')::BIGINT
    || ' most=' || getvariable('most') || ' range=' || getvariable('score_range') || ' bits=' || getvariable('bits')
    || ' label_scale=' || getvariable('label_scale') || CASE WHEN getvariable('both_lack') THEN ' lacking=both' ELSE '' END;

-- one product of masks for each guest but the first, one with the host's rows if it lacks some, one with the labels, and for a loss of squares one more
SET VARIABLE counted = len(getvariable('guest_list')) + getvariable('both_lack')::INTEGER;
SET VARIABLE stages = getvariable('counted')
    + CASE WHEN getvariable('activation') = 'blind' AND getvariable('kind') = 'identity' AND getvariable('with_loss') THEN 1 ELSE 0 END;
