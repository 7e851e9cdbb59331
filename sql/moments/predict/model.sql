-- settings: the model has to be of the same training as the peer's
SET VARIABLE duckpriv_protocol = 'moments/predict/1';
SET VARIABLE duckpriv_parameters = 'sigma=' || getvariable('sigma') || ' bits=' || getvariable('bits');
SELECT require(duckpriv_is_integer(getvariable('sigma')) AND duckpriv_is_integer(getvariable('bits')), 'sigma and bits are whole numbers');
SELECT require(getvariable('sigma')::INTEGER BETWEEN 40 AND 256, 'sigma is 40 to 256');
SELECT require(has_table(getvariable('model')) AND has_table(getvariable('model') || '_share'),
               'there are no tables ' || getvariable('model') || ' and ' || getvariable('model') || '_share, as moments/regression_host and '
               || 'moments/regression_guest leave them with reveal=none; name the first with --set model=NAME. Where you see weights, predict with lr_joint_key/predict');
CREATE OR REPLACE TEMP TABLE predict_model AS
    SELECT row_number() OVER (ORDER BY rowid) AS place, feature, mean, deviation, training FROM "${model}";
CREATE OR REPLACE TEMP TABLE predict_share AS
    SELECT party, position, share, training FROM "${model}_share";
SELECT require(count(DISTINCT training) = 1 AND bool_and(training = (SELECT any_value(training) FROM predict_model))
               AND is_numbered(position, count(*)) AND count(*) FILTER (party = getvariable('me')) = (SELECT count(*) FROM predict_model),
               'the tables ' || getvariable('model') || ' and ' || getvariable('model') || '_share are not of one training'),
       require(bool_and(party IN (getvariable('me'), getvariable('peer'))) AND count(DISTINCT party) = 2,
               'the model is not of a training with ' || getvariable('peer'))
FROM predict_share;
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END
    || ' training=' || (SELECT any_value(training) FROM predict_model);
SET VARIABLE id_column = duckpriv_written(getvariable('table'), getvariable('id'));

-- Our columns; the host's first one is the intercept, with the label's mean and unit. Our shares of the weights of all columns: the
-- host adds the label's mean to the intercept.
SET VARIABLE first = (SELECT CASE WHEN party = getvariable('me') THEN 2 ELSE 1 END FROM predict_share WHERE position = 1);
SET VARIABLE label = (SELECT {'mean': coalesce(any_value(mean), 0), 'unit': coalesce(any_value(deviation), 1)}
                      FROM predict_model WHERE place < getvariable('first'));
SELECT require(coalesce(abs(getvariable('label').mean / getvariable('label').unit) < 4194304, false),
               'the label''s mean is more than four million times its deviation; train with a label that is less by a constant');
SET VARIABLE features = (SELECT coalesce(list(feature ORDER BY place), []::VARCHAR[]) FROM predict_model WHERE place >= getvariable('first'));
SET VARIABLE means = (SELECT coalesce(list(mean ORDER BY place), []::DOUBLE[]) FROM predict_model WHERE place >= getvariable('first'));
SET VARIABLE deviations = (SELECT coalesce(list(deviation ORDER BY place), []::DOUBLE[]) FROM predict_model WHERE place >= getvariable('first'));
SET VARIABLE intercept = CASE WHEN getvariable('first') = 2 THEN [1.0::DOUBLE] ELSE []::DOUBLE[] END;
SET VARIABLE own_shares = (
    SELECT list(CASE WHEN position < getvariable('first')
                     THEN share_add(share, ring_encode([getvariable('label').mean / getvariable('label').unit])[1]) ELSE share END ORDER BY position)
    FROM predict_share WHERE party = getvariable('me'));
SET VARIABLE peer_shares = (SELECT list(share ORDER BY position) FROM predict_share WHERE party = getvariable('peer'));

-- Bits: ciphertexts of shares say 128. Numbers have 20 behind the point and 15 before it. A slot has room for the sum of their products over
-- all columns and 16 rows, another one, a sign, and `sigma` to spare.
SET VARIABLE size = (SELECT count(*) FROM predict_share);
SET VARIABLE slot_bits = 128 + 35 + ceil(log2(getvariable('size')))::BIGINT + 4 + 1 + 1 + getvariable('sigma')::INTEGER;
SET VARIABLE slots = least(16, (getvariable('bits')::INTEGER - 2) // getvariable('slot_bits'));
SELECT require(getvariable('slots') > 0, 'a number with its mask does not fit into a ciphertext; use a smaller sigma, or more bits');
