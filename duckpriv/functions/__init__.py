"""The one registry: every SQL function of duckpriv, declared once.

From a declaration come the function on the connection, its comment, a row of
`duckpriv_functions()`, a section of docs/functions.md, and the generic tests. The macros of a
declaration may use functions declared before it.
"""

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

FUNCTIONS: tuple[Function, ...] = (
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

__all__ = ["FUNCTIONS", "Function", "Parameter", "Udf"]
