-- with an id column that all share nobody lacks rows: see lacking.sql
CREATE OR REPLACE TEMP TABLE rows_lacking (name VARCHAR);
SET VARIABLE both_lack = false;
SET VARIABLE common_rows = NULL::BIGINT;
