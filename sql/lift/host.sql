-- Lift of an experiment: treatment and control at one party, outcomes at the other; nothing by person. Host. The peer runs lift/guest.
-- sql/lift/README.md says what each message reveals.
--
-- set peer                 the guest's name
-- set table                your table or view: of the persons that were exposed or not, one row each; or of outcomes, any number of rows each
-- set arm =                your column that says who was treated; empty: the peer has it, and you name outcomes
-- set treatment = true     what stands there for the treatment
-- set control = false      and for the control; all others are left out
-- set segments =           with arm: your columns to group by, with commas between; empty: none
-- set outcomes =           without arm: your columns of numbers to sum, with commas between
-- set day =                with first_day: your column of the day of exposure, or of the outcome
-- set key =                your column of the ids; empty: the one that holds all ids of the alignment
-- set alignment = alignment  the name of the table that private matching left
-- set to = both            who gets the result: host, guest, or both; the same at both, as are the next eight
-- set population = all     whom means are of: all persons of the arm's party, or those matched
-- set first_day =          count only what comes after exposure, of exposures from this day on, as 2026-03-01; empty: count all outcomes
-- set last_day =           with first_day: and up to this day
-- set bucket = 7           with first_day: exposures of so many days go together; outcomes count after the last of them
-- set within = 0           with first_day: outcomes up to so many days later; 0: all later ones
-- set minimum = 20         what fewer persons are behind is opened to nobody
-- set bits = 2048          size of the Paillier key
-- set sigma = 64           a sum is wrong with probability 2^-sigma, 40 at least
-- set confidence = 0.95    of the intervals in the result
-- set decimals = 2         of columns of FLOAT and DOUBLE
-- set max_groups = 1000    refuse more pairs of group and days than this
-- set max_outcomes = 10    with arm: refuse a peer with more outcomes than this
-- set result = lift        the name of the table with the result, in your current schema
--
-- next The lift of each segment is in ${result}, at who gets it: SELECT * FROM ${result}. Other segments or outcomes take a new session.

SET VARIABLE leads = true;
-- include shared/settings.sql

-- include ../aggregate/shared/alignment.sql
-- include ../shared/id_column.sql
-- include shared/exposures.sql
-- include shared/outcomes.sql

-- part begin

-- include shared/policy.sql
-- include shared/roles.sql
-- include ../aggregate/shared/begin_host.sql

-- include ../aggregate/shared/plan.sql
-- include shared/names.sql
-- include ../aggregate/shared/encrypt.sql
-- include ../aggregate/shared/sum.sql
-- include ../aggregate/shared/shares.sql
-- include ../aggregate/shared/forget.sql
-- include shared/collapse.sql
-- include ../aggregate/shared/test.sql
-- include ../aggregate/shared/open.sql
-- include shared/persons.sql
-- include shared/result.sql
