-- what the guest opened
SELECT require(count(*) = 1 AND bool_and(range_check(products, opened, getvariable('mask_bits') + 1, getvariable('range_key'))),
               'the guest did not prove that its numbers are as small as agreed')
FROM range_proof, exchange_recv(getvariable('peer'), 'range/opened', columns := 'opened BLOB[]');
