CALL exchange_send(getvariable('peer'), 'regression/weights', $$
    SELECT s.position, (share % 68719476736)::UBIGINT AS share FROM "${result}_share" s JOIN regression_features f ON f.place = s.position
    WHERE seen_by IN (getvariable('peer'), 'both') ORDER BY s.position $$);
