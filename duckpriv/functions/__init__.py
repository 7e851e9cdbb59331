"""The one registry: every SQL function of duckpriv, declared once.

From a declaration come the function on the connection, its comment, a row of
`duckpriv_functions()`, a section of docs/functions.md, and the generic tests. The macros of a
declaration may use functions declared before it.
"""

from .declaration import Function, Parameter, Udf
from .exchange import EXCHANGE
from .ids import IDS
from .paillier import PAILLIER
from .rsa import RSA
from .shares import SHARES

FUNCTIONS: tuple[Function, ...] = (*IDS, *RSA, *PAILLIER, *SHARES, *EXCHANGE)

__all__ = ["FUNCTIONS", "Function", "Parameter", "Udf"]
