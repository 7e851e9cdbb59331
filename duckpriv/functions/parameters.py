"""Parameters and texts that several functions share."""

from __future__ import annotations

import pyarrow as pa

from .declaration import Parameter, Udf

CT = Parameter("ct", "BLOB", "a ciphertext")
UNDER = Parameter(
    "key",
    "VARCHAR",
    "the key in your keyring that the ciphertexts have to be under; others are refused",
)
SCALE = Parameter("scale", "INTEGER", "fractional bits: x stands as round(x * 2^scale)", "20")
BOUND = Parameter(
    "bound",
    "INTEGER",
    "every |x * 2^scale| has to be below 2^bound; the ciphertext tells it to who has it",
    "51",
)
WEIGHT_SCALE = Parameter("scale", "INTEGER", "fractional bits of the weights; 0: integers", "0")
WEIGHT_BOUND = Parameter(
    "bound", "INTEGER", "every |weight * 2^scale| has to be below 2^bound; 1 to 61", "31"
)
TABLE = Parameter("tbl", "VARCHAR", "the name of a table or view")
ID = Parameter("id", "VARCHAR", "its id column; rows are taken in its order")
COLUMNS = Parameter(
    "columns", "VARCHAR", "its numeric columns, with commas between; empty: all but the id", "''"
)
LIST = Parameter("list", "VARCHAR", "instead of columns: the name of one DOUBLE[] column", "''")
MAKE_TABLE = (
    "CREATE OR REPLACE TEMP TABLE features AS "
    "SELECT * FROM (VALUES (1, 0.5, 2.0), (2, -1.5, 4.0)) t(id, height, weight)"
)
MAKE_KEY = "CALL paillier_keygen('mine', bits := 2048)"
KEY_INFO = "STRUCT(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)"
HIDDEN = (
    "To who has the key: the plaintext. To others: key, scale, bound and number of values. It is "
    "re-randomised: not which ciphertexts it was made from."
)


def volatile_udf(
    function: object, parameters: tuple[str, ...], returns: str, arrow: pa.DataType
) -> Udf:
    """Return the declaration of a randomised Python function."""
    return Udf(function, parameters, returns, arrow, volatile=True)  # type: ignore[arg-type]
