"""The one registry: every SQL function of duckpriv, declared once.

From a declaration come the function on the connection, its comment, a row of
`duckpriv_functions()`, a section of docs/functions.md, and the generic tests. The macros of a
declaration may use functions declared before it.
"""

import re
from dataclasses import replace

from .activation import ACTIVATION
from .declaration import Function, Parameter, Udf
from .exchange import EXCHANGE
from .homomorphic import HOMOMORPHIC
from .ids import IDS
from .joint import JOINT
from .measures import MEASURES
from .metrics import METRICS
from .names import NAMES
from .noise import NOISE
from .oprf import OPRF
from .paillier import PAILLIER
from .policies import POLICIES
from .ring import RING
from .rsa import RSA
from .scorecard import SCORECARD
from .seeds import SEEDS
from .shares import SHARES
from .squares import SQUARES
from .statistics import STATISTICS
from .training import TRAINING
from .wide import WIDE

_DECLARED: tuple[Function, ...] = (
    *NAMES,
    *POLICIES,
    *IDS,
    *RSA,
    *OPRF,
    *PAILLIER,
    *JOINT,
    *HOMOMORPHIC,
    *SHARES,
    *SEEDS,
    *RING,
    *ACTIVATION,
    *WIDE,
    *SQUARES,
    *EXCHANGE,
    *TRAINING,
    *MEASURES,
    *METRICS,
    *NOISE,
    *SCORECARD,
    *STATISTICS,
)

_CALL = re.compile(rf"(?<![\w.])({'|'.join(function.name for function in _DECLARED)})\(")


def _in_full(sql: str) -> str:
    """Return it with the names as they work on every cursor, also of another client."""
    return _CALL.sub(r"duckpriv.\1(", sql)


FUNCTIONS = tuple(
    replace(f, example=_in_full(f.example), setup=tuple(map(_in_full, f.setup))) for f in _DECLARED
)

__all__ = ["FUNCTIONS", "Function", "Parameter", "Udf"]
