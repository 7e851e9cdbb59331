-- part noise if getvariable('eps') > 0

-- Noise of this party for every count and sum (discrete Laplace), before anything is compared or opened: also who knows its own noise knows no more than
-- the noise of the other leaves.
INSERT INTO aggregate_parts
    WITH numbers AS (SELECT number, of_guest, most FROM (SELECT NOT getvariable('leads') AS of_guest, use, position, most FROM aggregate_own
                                                        UNION ALL SELECT getvariable('leads'), use, position, most FROM aggregate_theirs),
                                               LATERAL (SELECT position + CASE WHEN of_guest THEN getvariable('host_measures') ELSE 0 END AS number) WHERE use = 'measure'),
         reach AS (SELECT 0 AS measure, 0 AS what, 1.0::DOUBLE AS reach
                   UNION ALL
                   SELECT number, what, [1.0::DOUBLE, most, most::DOUBLE * most][what + 1] FROM numbers, range(3) t(what)),
         drawn AS (SELECT host_place, guest_place, measure, what, noise_integer(0, reach * getvariable('parts') / getvariable('eps')) AS noise
                   FROM reach, range(1, getvariable('host_places') + 1) a(host_place), range(1, getvariable('guest_places') + 1) b(guest_place))
    SELECT host_place, guest_place, measure, what, wide_element(noise) FROM drawn;

-- part cells

-- every pair of groups, totals over the host's groups or, if it has none, over all, and what is opened of each or not: of measure 0 how many
-- rows, of the others how many of them have a number, their sum and sum of squares
-- Lines whose sum somebody knows: each of the guest's groups, all cells with a total. Where both lack rows, both know how many are common, which is
-- the sum of all cells, or of the totals of a cross table.
SET VARIABLE lines = CASE WHEN getvariable('both_lack') AND getvariable('totals') = 'no' THEN 'all' WHEN getvariable('host_places') > 1 THEN 'host' WHEN getvariable('totals') = 'yes' AND getvariable('guest_places') > 1 THEN 'guest' ELSE 'none' END;
CREATE OR REPLACE TEMP TABLE aggregate_cells AS
    SELECT row_number() OVER (ORDER BY host_place, guest_place, measure) AS cell, host_place, guest_place, measure,
           CASE WHEN compared THEN row_number() OVER (PARTITION BY compared ORDER BY host_place, guest_place, measure) END AS question
    FROM (SELECT *, measure = 0 OR getvariable('nullable')[measure] AS compared FROM range(0, getvariable('host_places') + 1) a(host_place), range(0, getvariable('guest_places') + 1) b(guest_place),
         range(0, getvariable('host_measures') + getvariable('guest_measures') + 1) c(measure)
    WHERE (host_place > 0 OR getvariable('totals') = 'yes' AND getvariable('lines') = 'host')
      AND (guest_place > 0 OR getvariable('totals') = 'yes' AND getvariable('lines') = 'guest'));
SET VARIABLE cells = (SELECT count(*) FROM aggregate_cells);
SET VARIABLE questions = (SELECT count(question) FROM aggregate_cells);
-- what is compared with the minimum: rows, or, where ids repeat, persons
SET VARIABLE tested = CASE WHEN getvariable('many') THEN 3 ELSE 0 END;
-- our share of each
CREATE OR REPLACE TEMP TABLE aggregate_shares AS
    WITH sums AS (SELECT host_place, guest_place, measure, what, wide_sum(share) AS share
                  FROM (SELECT unnest(CASE WHEN getvariable('totals') = 'yes' AND getvariable('lines') = 'host' AND added THEN [host_place, 0] ELSE [host_place] END) AS host_place,
                               CASE WHEN getvariable('totals') = 'yes' AND getvariable('lines') = 'guest' AND added THEN [guest_place, 0] ELSE [guest_place] END AS guest_places,
                               measure, what, share FROM (SELECT *, what < 3 OR getvariable('persons_from') = 1 AS added FROM aggregate_parts)
                        WHERE host_place <= getvariable('host_places') AND guest_place <= getvariable('guest_places')), unnest(guest_places) AS t(guest_place)
                  GROUP BY host_place, guest_place, measure, what)
    SELECT cell, what, coalesce(share, 0) AS share
    FROM (SELECT *, unnest(CASE WHEN measure = 0 THEN [0] ELSE [0, 1, 2] END || CASE WHEN getvariable('many') THEN [3] ELSE [] END) AS what FROM aggregate_cells)
    LEFT JOIN sums USING (host_place, guest_place, measure, what);

-- part tokens if NOT getvariable('encrypts')

-- Which counts are below the minimum, and nothing else: the peer's share, modulo 2^32, is then one of as many numbers as the minimum is, which
-- follow from ours. It asks for one token of each cell, blinded, and compares (private set membership by an oblivious pseudo-random function:
-- Freedman, Ishai, Pinkas, Reingold, TCC 2005).
SET VARIABLE test_key = 'aggregate-test-' || getvariable('session') || '-' || getvariable('me');
CALL rsa_keygen(getvariable('test_key'), bits := 2048);
CALL exchange_send(getvariable('peer'), 'aggregate/test-key',
    $$ SELECT rsa_public_key(getvariable('test_key')) AS key, rsa_key_proof(getvariable('test_key')) AS proof $$);
CREATE OR REPLACE TEMP TABLE aggregate_tokens AS
    SELECT question, rsa_token(question || '/' || (4294967296 + below - (share % 4294967296)::BIGINT) % 4294967296, getvariable('test_key')) AS token
    FROM aggregate_shares JOIN aggregate_cells USING (cell), range(-getvariable('margin'), getvariable('minimum')) t(below) WHERE what = getvariable('tested') AND question IS NOT NULL;
SELECT require(is_numbered(question, getvariable('questions')), 'the peer did not ask for each count once')
FROM exchange_recv(getvariable('peer'), 'aggregate/blinded', columns := 'question BIGINT, blinded BLOB');
CALL exchange_send(getvariable('peer'), 'aggregate/signed', $$
    SELECT question, blind_sign(blinded, getvariable('test_key')) AS signed
    FROM exchange_recv(getvariable('peer'), 'aggregate/blinded', columns := 'question BIGINT, blinded BLOB') ORDER BY question $$);
CALL exchange_send(getvariable('peer'), 'aggregate/tokens', $$ SELECT question, token FROM aggregate_tokens ORDER BY question, token $$);
CALL key_forget(getvariable('test_key'));
CREATE OR REPLACE TEMP TABLE aggregate_shown AS FROM exchange_recv(getvariable('peer'), 'aggregate/shown', columns := 'cell BIGINT, shown BOOLEAN');
SELECT require(is_numbered(cell, getvariable('cells')), 'the peer did not say of each count once whether it is opened') FROM aggregate_shown;

-- part compare if getvariable('encrypts')

SET VARIABLE peer_test_key = 'aggregate-test-' || getvariable('session') || '-of-' || getvariable('peer');
SELECT require(count(*) = 1 AND min(octet_length(proof)) > 0, 'the peer has to send one key with its proof'),
       key_import(getvariable('peer_test_key'), any_value(key), 'rsa', proof := any_value(proof)) AS test_key
FROM exchange_recv(getvariable('peer'), 'aggregate/test-key', columns := 'key BLOB, proof BLOB');
CREATE OR REPLACE TEMP TABLE aggregate_asked AS
    SELECT question, question || '/' || (share % 4294967296)::BIGINT AS asked
    FROM aggregate_shares JOIN aggregate_cells USING (cell) WHERE what = getvariable('tested') AND question IS NOT NULL;
CALL exchange_send(getvariable('peer'), 'aggregate/blinded', $$
    SELECT question, rsa_blind(asked, getvariable('peer_test_key')) AS blinded FROM aggregate_asked ORDER BY question $$);
CREATE OR REPLACE TEMP TABLE aggregate_mine AS
    SELECT question, rsa_finalize(asked, signed, getvariable('peer_test_key')) AS token
    FROM aggregate_asked JOIN exchange_recv(getvariable('peer'), 'aggregate/signed', columns := 'question BIGINT, signed BLOB') USING (question);
SELECT require(is_numbered(question, getvariable('questions')), 'the peer did not sign each blinded count once') FROM aggregate_mine;
CREATE OR REPLACE TEMP TABLE aggregate_tokens AS FROM exchange_recv(getvariable('peer'), 'aggregate/tokens', columns := 'question BIGINT, token BLOB');
SELECT require(bool_and(tokens = getvariable('minimum') + getvariable('margin')) AND is_numbered(question, getvariable('questions')),
               'the peer did not send as many tokens for each count as the minimum takes')
FROM (SELECT question, count(DISTINCT token) AS tokens FROM aggregate_tokens GROUP BY question);
CALL key_forget(getvariable('peer_test_key'));

-- What is shown. Where the guest, or who sees a total, knows the sum of a line, nothing is hidden alone: what is hidden has the minimum together, so
-- the last cell of the line that would be shown is hidden, too. First for rows, then for each measure.
CREATE OR REPLACE TEMP TABLE aggregate_few AS
    SELECT cell, host_place, guest_place, measure, coalesce(EXISTS (FROM aggregate_tokens t WHERE t.question = m.question AND t.token = m.token), false) AS few,
           CASE WHEN getvariable('minimum') > 1 AND getvariable('lines') <> 'none'
                THEN CASE WHEN host_place > 0 AND guest_place > 0 THEN CASE getvariable('lines') WHEN 'host' THEN guest_place ELSE 0 END
                          WHEN measure = 0 AND getvariable('both_lack') AND getvariable('lines') = 'host' THEN -1 END END AS line
    FROM aggregate_cells LEFT JOIN aggregate_mine m USING (question);
CREATE OR REPLACE TEMP TABLE aggregate_hidden AS
    SELECT cell, host_place, guest_place, line,
           few OR coalesce(line IS NOT NULL AND bool_or(few) OVER of_line AND cell = max(cell) FILTER (NOT few) OVER of_line, false) AS hidden
    FROM aggregate_few WHERE measure = 0 WINDOW of_line AS (PARTITION BY line);
-- a total that is hidden beside another one is not the sum of what is shown
CREATE OR REPLACE TEMP TABLE aggregate_hidden AS
    SELECT host_place, guest_place,
           h.hidden OR coalesce(t.hidden AND NOT bool_or(h.hidden) OVER of_totals AND cell = max(cell) OVER of_totals, false) AS hidden
    FROM aggregate_hidden h LEFT JOIN (SELECT guest_place AS line, hidden FROM aggregate_hidden WHERE line = -1) t USING (line)
    WINDOW of_totals AS (PARTITION BY line);
CREATE OR REPLACE TEMP TABLE aggregate_shown AS
    SELECT cell, NOT (hidden OR coalesce(line IS NOT NULL AND bool_or(hidden) OVER of_measure_line AND NOT bool_or(hidden AND NOT few) OVER of_measure_line
                                         AND cell = max(cell) FILTER (NOT hidden) OVER of_measure_line, false)) AS shown
    FROM (SELECT cell, measure, line, few, few OR hidden AS hidden FROM aggregate_few JOIN aggregate_hidden USING (host_place, guest_place))
    WINDOW of_measure_line AS (PARTITION BY measure, line);
CALL exchange_send(getvariable('peer'), 'aggregate/shown', $$ SELECT cell, shown FROM aggregate_shown ORDER BY cell $$);
