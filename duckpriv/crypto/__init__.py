"""The mathematics: integers, bytes and NumPy arrays. No Arrow, no DuckDB, no I/O.

Here be dragons: these functions trust their callers to have checked keys and
to keep secrets secret. SQL users call them through `duckpriv.functions`.

A column of big integers is a *byte matrix*: a C-contiguous uint8 array of shape
(rows, width), each row one big-endian integer.
"""
