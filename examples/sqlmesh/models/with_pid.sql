MODEL (name crm.with_pid, kind VIEW);

SELECT pid, balance
FROM crm.customers JOIN crm.matching USING (email)
