INSERT INTO lr_answers SELECT getvariable('iteration'), z FROM lr_score;
