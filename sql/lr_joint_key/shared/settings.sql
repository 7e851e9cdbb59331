-- settings
SET VARIABLE duckpriv_protocol = 'lr_joint_key/1';
SET VARIABLE duckpriv_parameters = 'modulus=' || getvariable('modulus');

-- peers via = assistant or peer

SET VARIABLE via = CASE WHEN getvariable('assistant') = '' THEN getvariable('peer') ELSE getvariable('assistant') END;
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END
    || ' iterations=' || getvariable('iterations')::INTEGER || ' batch=' || getvariable('batch')::INTEGER
    || ' learning_rate=' || getvariable('learning_rate')::DOUBLE || ' l2=' || getvariable('l2')::DOUBLE
    || ' stop=' || getvariable('stop')::DOUBLE || ' loss_every=' || getvariable('loss_every')::INTEGER
    || ' noise=' || getvariable('noise')::DOUBLE || ' accept_disclosure=' || getvariable('accept_disclosure')
    || ' assistant=' || getvariable('assistant');
