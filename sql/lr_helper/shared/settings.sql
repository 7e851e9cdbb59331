-- settings
SELECT require(duckpriv_is_integer(getvariable('iterations')) AND duckpriv_is_integer(getvariable('batch')),
               'iterations and batch have to be whole numbers below 2^31');
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END
    || ' parties=' || array_to_string(getvariable('parties'), ',') || ' kind=' || getvariable('kind')
    || ' activation=' || getvariable('activation') || ' range=' || getvariable('range') || ' iterations=' || getvariable('iterations')::INTEGER || ' batch=' || getvariable('batch')::INTEGER
    || ' learning_rate=' || getvariable('learning_rate')::DOUBLE || ' decay=' || getvariable('decay')::DOUBLE
    || ' l2=' || getvariable('l2')::DOUBLE || ' reveal=' || getvariable('reveal') || ' loss=' || getvariable('loss')
    || ' noise=' || getvariable('noise')::DOUBLE || ' accept_disclosure=' || getvariable('accept_disclosure');
SELECT require(getvariable('kind') IN ('logistic', 'identity', 'exp'), 'kind is logistic, identity or exp'),
       require(getvariable('activation') IN ('blind', 'open'), 'activation is blind or open'),
       require(getvariable('activation') = 'blind' OR getvariable('range')::VARCHAR = '', 'range is for activation=blind'),
       require(getvariable('activation') = 'blind' OR getvariable('accept_disclosure') = 'yes',
               'with activation=open the helper sees every score in every step, and can read features and labels from them: more than an '
               || 'eighth of a bit for each row. Use activation=blind, or accept that with --set accept_disclosure=yes'),
       require(getvariable('range')::VARCHAR = '' OR duckpriv_is_integer(getvariable('range')), 'range is a whole number'),
       require(getvariable('reveal') IN ('own', 'none'), 'reveal is own or none'),
       require(getvariable('loss') IN ('auto', 'yes', 'no'), 'loss is auto, yes or no'),
       require(getvariable('accept_disclosure') IN ('yes', 'no'), 'accept_disclosure is yes or no'),
       require(getvariable('iterations')::INTEGER > 0 AND getvariable('batch')::INTEGER > 0
               AND getvariable('learning_rate')::DOUBLE > 0 AND getvariable('decay')::DOUBLE >= 0
               AND getvariable('l2')::DOUBLE >= 0 AND isfinite(getvariable('learning_rate')::DOUBLE) AND isfinite(getvariable('decay')::DOUBLE)
               AND isfinite(getvariable('l2')::DOUBLE) AND getvariable('noise')::DOUBLE BETWEEN 0 AND 10,
               'iterations, batch and learning_rate have to be more than 0, decay and l2 not less, and noise 0 to 10'),
       require(getvariable('learning_rate')::DOUBLE <= 2000, 'learning_rate is ' || getvariable('learning_rate') || '; use 2000 at most'),
       require(getvariable('learning_rate')::DOUBLE * getvariable('l2')::DOUBLE <= 1,
               'learning_rate times l2 is more than 1, and each step would pass its aim; set a smaller l2 or learning_rate'),
       require_result(getvariable('result'), ['feature', 'weight', 'mean', 'deviation', 'weight_original', 'training']),
       require_result(getvariable('result') || '_share', ['party', 'position', 'share', 'training']),
       require_result(getvariable('log'), ['iteration', 'loss', 'gradient_norm', 'seconds', 'bytes']);
SET VARIABLE id_column = duckpriv_written(getvariable('table'), getvariable('id'));
SET VARIABLE with_loss = getvariable('loss') = 'yes' OR (getvariable('loss') = 'auto' AND getvariable('id') <> '');
SET VARIABLE training = getvariable('session') || ' ' || getvariable('kind');
