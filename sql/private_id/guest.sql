-- Matching that hides from both which records are common: guest. The peer runs private_id/host. Both get a random id for each of their own
-- ids, and the random ids of those that only the peer has. sql/private_id/README.md says what each message reveals.
--
-- set peer             the host's name
-- set table            your table or view
-- set id               its id column, or several with commas between
-- set kind = raw       how ids are normalised: raw, trimmed, lower, email or phone (one a column)
-- set most_ids = 0     refuse a host with more distinct ids than this; 0: any number
-- set result = alignment  the name of the table that it makes, in your current schema; the random ids of what only the host has go into
--                      one of that name and _unmatched, and how many there are into one with _sizes

SET VARIABLE leads = false;
-- include shared/begin.sql
-- include shared/mask.sql
-- include shared/twice.sql
-- include shared/name.sql
-- include shared/lacking.sql
-- include shared/result.sql
