SELECT require(has_table(getvariable('model')),
               'there is no table ' || getvariable('model') || '; train one first with lr_joint_key/host or lr_joint_key/guest, or name it '
               || 'with --set model=NAME');
SELECT require(count(DISTINCT training) = 1, 'the table ' || getvariable('model') || ' is not of one training'),
       require(count(weight) = count(*) AND count(*) FILTER (mean IS NULL) = 1,
               'the table ' || getvariable('model') || ' does not have each weight of ours once; train with reveal=own. Where moments/regression left '
               || 'weights shared (reveal=none), predict with moments/predict')
FROM "${model}";
SET VARIABLE duckpriv_parameters = 'modulus=' || getvariable('modulus');
SET VARIABLE settings = 'join=' || CASE WHEN getvariable('id') = '' THEN 'alignment' ELSE 'id' END
    || ' training=' || (SELECT any_value(training) FROM "${model}");
SET VARIABLE id_column = duckpriv_written(getvariable('table'), getvariable('id'));
SET VARIABLE features = (SELECT coalesce(list(feature), []::VARCHAR[]) FROM (FROM "${model}" WHERE mean IS NOT NULL ORDER BY rowid));
SET VARIABLE means = (SELECT coalesce(list(mean), []::DOUBLE[]) FROM (FROM "${model}" WHERE mean IS NOT NULL ORDER BY rowid));
SET VARIABLE deviations = (SELECT coalesce(list(deviation), []::DOUBLE[]) FROM (FROM "${model}" WHERE mean IS NOT NULL ORDER BY rowid));
SET VARIABLE weights = (SELECT coalesce(list(weight), []::DOUBLE[]) FROM (FROM "${model}" WHERE mean IS NOT NULL ORDER BY rowid));
SET VARIABLE intercept = (SELECT weight FROM "${model}" WHERE mean IS NULL);
