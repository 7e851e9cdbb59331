-- to the peer: its masked ids, masked again, sorted, so that it cannot tell which of them is which
CREATE OR REPLACE TEMP TABLE private_id_theirs_twice AS
    SELECT dh_remask(masked, getvariable('mask_key')) AS masked FROM private_id_theirs;
CALL exchange_send(getvariable('peer'), 'private_id/twice', $$ FROM private_id_theirs_twice ORDER BY masked $$);
