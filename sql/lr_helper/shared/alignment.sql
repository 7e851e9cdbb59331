-- the alignment that private matching left, and the column with its ids
SELECT require(1 = (SELECT count(*) FROM duckdb_tables() WHERE table_name = 'alignment'
                    AND database_name = current_database() AND schema_name = current_schema()),
               'there is no table alignment; run private matching first (psi/guest), or name an id column that all '
               || 'tables share with --set id=COLUMN');
