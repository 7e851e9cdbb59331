-- How many ids two parties have in common, and nothing else: guest. The peer runs psi_size/host. With lists, it is a matrix: how many ids
-- each list of one has in common with each list of the other. sql/psi_size/README.md says what each message reveals.
--
-- set peer             the host's name
-- set table            your table or view
-- set id               its id column, or several with commas between
-- set kind = raw       how ids are normalised: raw, trimmed, lower, email or phone (one a column)
-- set list =           your column that says which list a row belongs to; empty: all are one
-- set to = both        who gets the result: host, guest, or both; the same at both, as is the next one
-- set minimum = 0      a number below this is not told
-- set most_ids = 0     refuse a host with more ids than this, of all its lists; 0: any number
-- set max_lists = 20   refuse more lists than this, of either party
-- set result = psi_size  the name of the table with the result, in your current schema

SET VARIABLE leads = false;
-- include shared/begin.sql
-- include shared/mask.sql
-- include shared/answer.sql
-- include shared/count.sql
-- include shared/result.sql
