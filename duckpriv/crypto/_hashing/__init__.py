"""Hashes in C, compiled to the module `compiled` where there was a compiler."""
