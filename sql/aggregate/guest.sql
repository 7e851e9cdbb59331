-- Counts, sums, averages and variances by group over the common rows, which stay hidden: guest. The peer runs aggregate/host.
-- sql/aggregate/README.md says what each message reveals.
--
-- set peer                 the host's name
-- set table                your table or view
-- set groups =             your columns to group by, with commas between; empty: none
-- set duplicates = refuse  where several rows have the same id: refuse; first: only the first counts; all: each does, as in a JOIN,
--                          and the minimum is of persons. Only one party can have all, and none where both lack rows
-- set measures =           your columns of numbers to sum, with commas between; empty: none
-- set key =                your column of the ids; empty: the one that holds all ids of the alignment
-- set alignment = alignment  the name of the table that private matching left
-- set to = both            who gets the result: host, guest, or both; the same at both, as are the next five
-- set minimum = 20         what fewer rows have is opened to nobody
-- set totals = no          yes: totals, too
-- set epsilon = 0          more: each party adds noise to all counts and sums, together of this epsilon
-- set bits = 2048          size of the Paillier key
-- set sigma = 64           a sum is wrong with probability 2^-sigma, 40 at least
-- set decimals = 2         of columns of FLOAT and DOUBLE
-- set limits =             with epsilon: for each of your measures how far it goes; numbers beyond that are cut
-- set max_groups = 1000    refuse more groups than this, of either party
-- set max_measures = 100  refuse a peer with more measures than this; with 0 also one with duplicates=all
-- set result = aggregate   the name of the table with the result, in your current schema
--
-- next The table by group is in ${result}, at who gets it: SELECT * FROM ${result}. Other groups or measures take a new session.

SET VARIABLE leads = false;
-- include shared/settings.sql
-- include shared/parameters.sql

-- include shared/alignment.sql
-- include ../shared/id_column.sql
-- include shared/rows.sql
-- include shared/policy.sql

-- include shared/repeats.sql
-- include shared/begin_guest.sql

-- include shared/plan.sql
-- include shared/names.sql
-- include shared/encrypt.sql
-- include shared/sum.sql
-- include shared/shares.sql
-- include shared/persons.sql
-- include shared/forget.sql
-- include shared/test.sql
-- include shared/open.sql
-- include shared/result.sql
