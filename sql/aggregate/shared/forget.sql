-- part forget if getvariable('encrypts') AND (getvariable('with_measures') OR getvariable('with_places'))

CALL key_forget(getvariable('key'));

-- part sum-forget if NOT getvariable('encrypts') AND (getvariable('with_measures') OR getvariable('with_places'))

CALL key_forget(getvariable('peer_key'));
