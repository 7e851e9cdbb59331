-- the alignments that private matching left, and the column with their ids
SET VARIABLE alignments = CASE WHEN len(getvariable('guest_list')) = 1 THEN ['alignment']
    ELSE list_transform(getvariable('guest_list'), lambda name: 'alignment_' || name) END;
SELECT require(count(*) = len(getvariable('alignments')),
               'private matching has to have left a table for each guest: ' || array_to_string(getvariable('alignments'), ', ')
               || '. With several guests, rename alignment after each matching; or name an id column that all tables share '
               || 'with --set id=COLUMN')
FROM duckdb_tables()
WHERE list_contains(getvariable('alignments'), table_name) AND database_name = current_database()
  AND schema_name = current_schema();
SET VARIABLE alignment = getvariable('alignments')[1];
