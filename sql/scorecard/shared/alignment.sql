-- include ../../shared/lacking.sql
SELECT require(NOT getvariable('both_lack'),
               'both parties lack rows, and a scorecard needs an alignment by which the guest knows its common rows, to count those of its bins; match with psi');
