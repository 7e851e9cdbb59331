-- settings
SET VARIABLE duckpriv_protocol = 'lr_joint_key/1';
SET VARIABLE duckpriv_parameters = 'modulus=' || getvariable('modulus');

-- peers via = assistant or peer

SET VARIABLE via = CASE WHEN getvariable('assistant') = '' THEN getvariable('peer') ELSE getvariable('assistant') END;
SELECT require(duckpriv_is_integer(getvariable('iterations')) AND duckpriv_is_integer(getvariable('batch'))
               AND duckpriv_is_integer(getvariable('loss_every')), 'iterations, batch and loss_every have to be whole numbers below 2^31');
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END
    || ' iterations=' || getvariable('iterations')::INTEGER || ' batch=' || getvariable('batch')::INTEGER
    || ' learning_rate=' || getvariable('learning_rate')::DOUBLE || ' l2=' || getvariable('l2')::DOUBLE
    || ' stop=' || getvariable('stop')::DOUBLE || ' loss_every=' || getvariable('loss_every')::INTEGER
    || ' noise=' || getvariable('noise')::DOUBLE || ' accept_disclosure=' || getvariable('accept_disclosure')
    || ' assistant=' || getvariable('assistant');
SELECT require(getvariable('iterations')::INTEGER > 0 AND getvariable('batch')::INTEGER > 0
               AND getvariable('learning_rate')::DOUBLE > 0 AND isfinite(getvariable('learning_rate')::DOUBLE)
               AND getvariable('l2')::DOUBLE >= 0 AND isfinite(getvariable('l2')::DOUBLE)
               AND getvariable('stop')::DOUBLE >= 0 AND getvariable('loss_every')::INTEGER >= 0
               AND getvariable('noise')::DOUBLE BETWEEN 0 AND 10,
               'iterations, batch and learning_rate have to be more than 0, l2, stop and loss_every not less, and noise 0 to 10'),
       require(getvariable('learning_rate')::DOUBLE * getvariable('l2')::DOUBLE <= 1,
               'learning_rate times l2 is more than 1, and each step would pass its aim; set a smaller l2 or learning_rate');
SELECT require(getvariable('modulus') = 'rsa-2048' OR (getvariable('modulus') = 'assistant' AND getvariable('assistant') <> ''),
               'modulus is rsa-2048, or assistant together with --set assistant=NAME'),
       require(getvariable('assistant') NOT IN (getvariable('peer'), getvariable('me')),
               'the assistant has to be a third party'),
       require(getvariable('start') IN ('random', 'zero'), 'start is random or zero'),
       require(getvariable('accept_disclosure') IN ('yes', 'no'), 'accept_disclosure is yes or no'),
       require_result(getvariable('result'), ['feature', 'weight', 'mean', 'deviation', 'weight_original', 'training']),
       require_result(getvariable('log'), ['iteration', 'loss', 'gradient_norm', 'seconds', 'bytes']);
SET VARIABLE id_column = duckpriv_written(getvariable('table'), getvariable('id'));
