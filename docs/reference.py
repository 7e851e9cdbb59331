"""Write the function reference from the registry: `make docs` puts it into docs/functions.md."""

from __future__ import annotations

from duckpriv.functions import FUNCTIONS, Function
from duckpriv.functions.activation import ACTIVATION
from duckpriv.functions.exchange import EXCHANGE
from duckpriv.functions.homomorphic import HOMOMORPHIC
from duckpriv.functions.ids import IDS
from duckpriv.functions.joint import JOINT
from duckpriv.functions.measures import MEASURES
from duckpriv.functions.metrics import METRICS
from duckpriv.functions.names import NAMES
from duckpriv.functions.noise import NOISE
from duckpriv.functions.oprf import OPRF
from duckpriv.functions.paillier import PAILLIER
from duckpriv.functions.policies import POLICIES
from duckpriv.functions.ring import RING
from duckpriv.functions.rsa import RSA
from duckpriv.functions.scorecard import SCORECARD
from duckpriv.functions.seeds import SEEDS
from duckpriv.functions.shares import SHARES
from duckpriv.functions.squares import SQUARES
from duckpriv.functions.statistics import STATISTICS
from duckpriv.functions.training import TRAINING
from duckpriv.functions.wide import WIDE

# Those that analysts call by hand come first, those that only scripts need last.
TASKS: dict[str, tuple[Function, ...]] = {
    "Measure a model": METRICS,
    "Bins, weight of evidence, scorecards": SCORECARD,
    "Statistics of an experiment": STATISTICS,
    "Send and receive": EXCHANGE,
    "Ids": IDS,
    "Match on an elliptic curve": OPRF,
    "Match with RSA blind signatures": RSA,
    "Encrypt numbers with Paillier": PAILLIER,
    "Compute on encrypted numbers": HOMOMORPHIC,
    "Sum by group under encryption": MEASURES,
    "Noise": NOISE,
    "Encrypt under a joint key": JOINT,
    "Train step by step": TRAINING,
    "Shares": SHARES,
    "Shares in 64 bits": RING,
    "Shares in 128 bits": WIDE,
    "Activations on shares": ACTIVATION,
    "Linear equations on shares": SQUARES,
    "Seeds that two parties share": SEEDS,
    "Names of tables and columns": NAMES,
    "Policies": POLICIES,
}

HEAD = """# SQL functions

Written from the registry (`duckpriv/functions/`) by `make docs`; do not edit. In SQL: `FROM
duckpriv.duckpriv_functions()`. A table function is called in FROM, a call with CALL. Each says what
its result **reveals**, and to whom. With `duckpriv.` before its name a function is found on every
cursor, thread and client. The bundled scripts leave it out, since whoever runs one sets the search
path; you need the functions only to work by hand, or to write a script of your own.
"""


def grouped() -> dict[str, list[Function]]:
    """Return the tasks with their functions. Raises ValueError where a function has no task."""
    named = [function.name for functions in TASKS.values() for function in functions]
    if sorted(named) != sorted(function.name for function in FUNCTIONS):
        raise ValueError("TASKS in docs/reference.py has not every function once")
    by_name = {function.name: function for function in FUNCTIONS}  # with examples as people call it
    return {task: [by_name[one.name] for one in functions] for task, functions in TASKS.items()}


def link(function: Function) -> str:
    """Return a link to a function's section."""
    return f"[`{function.name}`](#{function.name})"


def section(function: Function) -> str:
    """Return one function's section."""
    lines = [f"### {function.name}", "", f"`{function.signature}` → {function.returns}", ""]
    lines += [function.about, ""]
    for parameter in function.parameters:
        lines.append(f"- `{parameter.name}`: {parameter.type}; {parameter.about}")
    if function.parameters:
        lines.append("")
    lines += [f"**Reveals.** {function.reveals}", "", "```sql"]
    lines += [f"{statement};" for statement in (*function.setup, function.example)]
    lines += ["```", ""]
    return "\n".join(lines)


def index() -> str:
    """Return a table of all functions, by task."""
    lines = ["## Index", "", "| to | functions |", "|---|---|"]
    for task, functions in grouped().items():
        lines.append(f"| {task} | {', '.join(map(link, functions))} |")
    return "\n".join([*lines, ""])


def reference() -> str:
    """Return the whole page."""
    pages = [HEAD, index()]
    for task, functions in grouped().items():
        pages += [f"## {task}\n", *map(section, functions)]
    return "\n".join(pages)


if __name__ == "__main__":
    print(reference(), end="")
