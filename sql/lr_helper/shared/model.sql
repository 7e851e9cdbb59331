-- settings
SELECT require(has_table(getvariable('model')),
               'there is no table ' || getvariable('model') || '; train one first with lr_helper/host and lr_helper/guest, or name it '
               || 'with --set model=NAME');
SET VARIABLE kind = (SELECT split_part(any_value(training), ' ', 2) FROM "${model}");
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END
    || ' parties=' || array_to_string(getvariable('parties'), ',') || ' asker=' || getvariable('asker')
    || ' training=' || (SELECT any_value(training) FROM "${model}");
SELECT require(getvariable('kind') IN ('logistic', 'identity', 'exp'), 'the table ' || getvariable('model') || ' is none of lr_helper'),
       require(list_contains(getvariable('parties'), getvariable('asker')), 'asker is the host or a guest'),
       require_result(getvariable('result'), ['id', 'pid', 'score']);
SELECT require(count(DISTINCT training) = 1, 'the table ' || getvariable('model') || ' is not of one training') FROM "${model}";
SET VARIABLE id_column = duckpriv_written(getvariable('table'), getvariable('id'));
SET VARIABLE features = (SELECT coalesce(list(feature), []::VARCHAR[]) FROM (FROM "${model}" WHERE mean IS NOT NULL ORDER BY rowid));
SET VARIABLE means = (SELECT coalesce(list(mean), []::DOUBLE[]) FROM (FROM "${model}" WHERE mean IS NOT NULL ORDER BY rowid));
SET VARIABLE deviations = (SELECT coalesce(list(deviation), []::DOUBLE[]) FROM (FROM "${model}" WHERE mean IS NOT NULL ORDER BY rowid));
