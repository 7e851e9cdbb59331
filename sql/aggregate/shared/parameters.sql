SET VARIABLE duckpriv_protocol = 'aggregate/1';
SET VARIABLE duckpriv_parameters = 'to=' || getvariable('to') || ' minimum=' || getvariable('minimum') || ' totals=' || getvariable('totals') || ' epsilon=' || getvariable('epsilon')
    || ' bits=' || getvariable('bits') || ' sigma=' || getvariable('sigma');
