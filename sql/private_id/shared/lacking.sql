-- part lacking

DROP TABLE private_id_masked;
DROP TABLE IF EXISTS private_id_block;

-- from the peer: our own ids, masked by both, in an order that says nothing
CREATE OR REPLACE TEMP TABLE private_id_here_twice AS
    FROM exchange_recv(getvariable('peer'), 'private_id/twice', columns := 'masked BLOB');
SELECT require(count(*) = getvariable('ids') AND count(DISTINCT masked) = count(*), 'the peer did not mask each of our ids once')
FROM private_id_here_twice;
-- those of ours that the peer lacks; which they are nobody knows
CREATE OR REPLACE TEMP TABLE private_id_only_here AS
    FROM private_id_here_twice ANTI JOIN private_id_theirs_twice USING (masked);
SET VARIABLE both_ids = getvariable('ids') - (SELECT count(*) FROM private_id_only_here);
DROP TABLE private_id_here_twice;
DROP TABLE private_id_theirs_twice;

-- to the peer: these, with our key instead of our mask; it makes their random ids
CALL exchange_send(getvariable('peer'), 'private_id/only', $$
    SELECT named FROM (SELECT dh_remask(masked, getvariable('name_key'), old := getvariable('mask_key')) AS named FROM private_id_only_here)
    ORDER BY named $$);

-- from the peer: the same of its own
CREATE OR REPLACE TEMP TABLE private_id_absent AS
    SELECT CAST(left(sha256(encode('duckpriv/private-id/v1') || dh_remask(named, getvariable('name_key'), old := getvariable('mask_key'))), 32) AS UUID) AS pid
    FROM exchange_recv(getvariable('peer'), 'private_id/only', columns := 'named BLOB');
SELECT require(count(*) = getvariable('peer_ids') - getvariable('both_ids'),
               'the peer counts ' || getvariable('peer_ids') - count(*) || ' common ids, and we count ' || getvariable('both_ids'))
FROM private_id_absent;
CALL key_forget(getvariable('mask_key'));
CALL key_forget(getvariable('name_key'));
CALL key_forget(getvariable('peer_key'));

-- both have the same random ids, each once
CREATE OR REPLACE TEMP TABLE private_id_union AS SELECT pid FROM private_id_names UNION ALL FROM private_id_absent;
SELECT require(count(DISTINCT pid) = count(*), 'the peer made a random id twice') FROM private_id_union;
-- the sender's name is in it, so that nobody can send back what it got
SET VARIABLE sum = (SELECT coalesce(sum(('0x' || left(sha256(pid::VARCHAR), 16))::UBIGINT), 0)::VARCHAR FROM private_id_union);
CALL exchange_send(getvariable('peer'), 'private_id/digest', $$
    SELECT sha256(getvariable('session') || '/' || getvariable('me') || '/' || getvariable('sum')) AS digest $$);
SELECT require(count(*) = 1 AND bool_and(digest = sha256(getvariable('session') || '/' || getvariable('peer') || '/' || getvariable('sum'))),
               'the peer has other random ids than we have; both run again, with a new session')
FROM exchange_recv(getvariable('peer'), 'private_id/digest', columns := 'digest VARCHAR');
