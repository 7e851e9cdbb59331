CALL exchange_send(getvariable('peer'), 'range/opened', $$ SELECT range_open(products, getvariable('range_key')) AS opened FROM range_proof $$);
