-- Logistic regression under a joint key, assistant: has no data. It makes the modulus, if the parties
-- want one of its making, and passes masked gradients and the decision to go on along. The parties run lr_joint_key/host and
-- lr_joint_key/guest with --set assistant=NAME.
--
-- set host                the host's name
-- set guest               the guest's name
-- set modulus = assistant  as at the parties: assistant, or rsa-2048 if only gradients are passed on
-- set bits = 3072         size of the modulus
--
-- next Nothing is left to do here: the two parties have the model.

-- settings
SELECT require(count(DISTINCT name) = 3, 'host, guest and assistant have to be three parties')
FROM (SELECT unnest([getvariable('host'), getvariable('guest'), getvariable('me')]) AS name);
SET VARIABLE duckpriv_protocol = 'lr_joint_key/1';
SET VARIABLE duckpriv_parameters = 'modulus=' || getvariable('modulus');
SET VARIABLE iteration = 0;
SET VARIABLE go_on = true;

-- part modulus if getvariable('modulus') = 'assistant'

-- a modulus whose factors nobody keeps
CREATE OR REPLACE TEMP TABLE lr_modulus AS FROM joint_modulus(bits := getvariable('bits'));
CALL exchange_send(getvariable('host'), 'lr/modulus', 'FROM lr_modulus');
CALL exchange_send(getvariable('guest'), 'lr/modulus', 'FROM lr_modulus');

-- part iteration while getvariable('go_on')

-- masked gradients
SET VARIABLE iteration = getvariable('iteration') + 1;
CALL exchange_send(getvariable('host'), 'lr/gradient-' || getvariable('iteration'), $$
    FROM exchange_recv(getvariable('guest'), 'lr/gradient-' || getvariable('iteration'),
                       columns := 'feature BIGINT, ct BLOB') ORDER BY feature $$);
CALL exchange_send(getvariable('guest'), 'lr/gradient-' || getvariable('iteration'), $$
    FROM exchange_recv(getvariable('host'), 'lr/gradient-' || getvariable('iteration'),
                       columns := 'feature BIGINT, ct BLOB') ORDER BY feature $$);

-- masked gradients, partially decrypted
CALL exchange_send(getvariable('host'), 'lr/partial-' || getvariable('iteration'), $$
    FROM exchange_recv(getvariable('guest'), 'lr/partial-' || getvariable('iteration'),
                       columns := 'feature BIGINT, ct BLOB') ORDER BY feature $$);
CALL exchange_send(getvariable('guest'), 'lr/partial-' || getvariable('iteration'), $$
    FROM exchange_recv(getvariable('host'), 'lr/partial-' || getvariable('iteration'),
                       columns := 'feature BIGINT, ct BLOB') ORDER BY feature $$);

-- whether to go on
CREATE OR REPLACE TEMP TABLE lr_progress AS
    FROM exchange_recv(getvariable('host'), 'lr/progress-' || getvariable('iteration'),
                       columns := 'go_on BOOLEAN');
CALL exchange_send(getvariable('guest'), 'lr/progress-' || getvariable('iteration'), 'FROM lr_progress');
SET VARIABLE go_on = (SELECT bool_and(go_on) FROM lr_progress);

-- part finish

-- summary
SELECT getvariable('iteration') AS iterations;
