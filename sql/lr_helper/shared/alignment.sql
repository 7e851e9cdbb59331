-- the alignment that private matching left, and the column with its ids
SELECT require(2 = (SELECT count(*) FROM duckdb_tables() WHERE table_name IN ('alignment', 'alignment_unmatched')
                    AND database_name = current_database() AND schema_name = current_schema()),
               'there is no table alignment with alignment_unmatched; run private matching first (psi/guest), or name an id column that all '
               || 'tables share with --set id=COLUMN');
