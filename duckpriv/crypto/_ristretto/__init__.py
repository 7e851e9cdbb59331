"""Columns of ristretto255 in C: a module for each back end of `_modarith`."""
