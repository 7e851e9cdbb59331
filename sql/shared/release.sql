-- A release in the ledger, one row for each of the policy's peers: docs/policies.md. It stands right before the first message that
-- depends on the data, and is one transaction with it; behind policy.sql and
--
--     SET VARIABLE release = {what: 'sums by group', numbers: 12::BIGINT, alignment: getvariable('alignment')};
--
-- where `numbers` is how many numbers are released, NULL if that is not known before; `alignment` is NULL where there is none.

-- the release, in the ledger, with a last look at the budget
INSERT INTO duckpriv_releases
    WITH allowed AS (SELECT require(count(*) = 0, arg_min(problem, place)) AS yes FROM query(getvariable('policy_problems'))),
    before AS (SELECT coalesce(max(number), 0) AS number FROM query(getvariable('releases')))
    SELECT before.number + row_number() OVER (ORDER BY peer ASC), make_timestamp(epoch_us(now())), getvariable('session'), getvariable('duckpriv_script'),
           peer, duckpriv_table_named(getvariable('policy').tbl), getvariable('policy').uses, getvariable('release').alignment,
           getvariable('release').what, getvariable('release').numbers, getvariable('policy').minimum, getvariable('policy').epsilon
    FROM (SELECT unnest(list_distinct(getvariable('policy').peers)) AS peer), before, allowed WHERE yes;
