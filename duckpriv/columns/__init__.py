"""One function per SQL function: Arrow columns and keys in, an Arrow column out. No DuckDB.

A column function takes the party's `Context` and one Arrow array a SQL argument, all of the
same length and without NULLs (the engine leaves rows with a NULL out and puts
NULL there), and returns an array of that length.
"""
