"""A column function with the one secret that it needs, to be sent to the workers of a cluster.

A keyring does not pickle, and no worker should have all of it. `column_function` takes out of it
what one function needs: of `oprf_token` the private scalar, of `oprf_blind` the peer's public key
and the session's blinding secret. What comes out can be pickled, and computes on tables of Arrow:

    tokens = column_function("oprf_token", keyring, key="psi-s1-bank", session="s1", me="bank")
    table = tokens(table)  # with a column "token" more

Pickled it is as secret as the key: whoever runs the cluster, or reads what it spills to disk, can
read it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from ..columns.arrays import plain, without_nulls
from ..columns.context import Context
from ..columns.ids import KINDS, id_texts
from ..crypto.parallel import threads
from ..errors import DuckprivError, InvalidValue, unexpected
from ..functions import FUNCTIONS
from ..keyring import Keyring
from ..keys import (
    OprfPrivateKey,
    OprfPublicKey,
    PaillierPublicKey,
    RsaPrivateKey,
    RsaPublicKey,
)
from ..names import check_name

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)
_MOST_THREADS = 1024
_BLINDING = b"duckpriv/workers/blinding/v1"


@dataclass(frozen=True)
class _Work:
    """What a function takes: a kind of key, columns, and settings with their defaults.

    With `blinds` it needs the session's blinding secret. With `of_ids` its first column is an id
    of any type, which SQL gives it through psi_id. Of `batch` rows it computes at a time where
    nobody says how many: lists are long.
    """

    key: str | None
    columns: tuple[str, ...]
    result: str
    settings: tuple[tuple[str, Any], ...] = ()
    blinds: bool = False
    of_ids: bool = False
    batch: int = 1 << 14


_LISTS = 1 << 4  # of 4,096 values, as the scripts make them
_WORK: Mapping[str, _Work] = {
    "psi_id": _Work(None, ("id",), "psi_id", (("kind", "raw"),)),
    "oprf_blind": _Work("oprf.public", ("id",), "blinded", blinds=True, of_ids=True),
    "oprf_evaluate": _Work("oprf.private", ("blinded",), "answer", batch=_LISTS),
    "oprf_finalize": _Work(
        *("oprf.public", ("ids", "blinded", "evaluated", "proof"), "tokens"),
        blinds=True,
        batch=_LISTS,
    ),
    "oprf_token": _Work("oprf.private", ("id",), "token", of_ids=True),
    "rsa_blind": _Work("rsa.public", ("id",), "blinded", blinds=True, of_ids=True),
    "blind_sign": _Work("rsa.private", ("blinded",), "signed"),
    "rsa_finalize": _Work("rsa.public", ("id", "signed"), "token", blinds=True, of_ids=True),
    "rsa_token": _Work("rsa.private", ("id",), "token", of_ids=True),
    "paillier_encrypt": _Work("paillier.public", ("x",), "ct", (("scale", 20), ("bound", 62))),
}
# What SQL gives to a function that is declared with these types.
_TYPES: Mapping[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "BLOB": pa.binary(),
    "BLOB[]": pa.list_(pa.binary()),
    "DOUBLE": pa.float64(),
}
_UDFS = {udf.function.__name__: udf for function in FUNCTIONS for udf in function.udfs}


@dataclass(frozen=True)
class _Kind:
    """How a kind of key is taken from a keyring, written, read again, and told apart."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]
    public: Callable[[Any], Any] = lambda key: key


def _rsa_private(data: bytes) -> RsaPrivateKey:
    return RsaPrivateKey(cast(rsa.RSAPrivateKey, load_der_private_key(data, None)))


_KINDS: Mapping[str, _Kind] = {
    "oprf.private": _Kind(
        lambda key: key.scalar,
        lambda data: OprfPrivateKey.from_bytes(data, "of a worker"),
        lambda key: key.public,
    ),
    "oprf.public": _Kind(lambda key: key.encoded, OprfPublicKey.from_bytes),
    "rsa.private": _Kind(lambda key: key.pkcs8, _rsa_private, lambda key: key.public),
    "rsa.public": _Kind(lambda key: key.der, RsaPublicKey.from_der),
    # The public half alone: an owner's own key would have the factors in it.
    "paillier.public": _Kind(lambda key: key.encoded, PaillierPublicKey.from_bytes),
}


def column_function(
    function: str,
    keyring: Keyring | None = None,
    *,
    key: str | None = None,
    session: str | None = None,
    me: str | None = None,
    columns: Sequence[str] | None = None,
    result: str | None = None,
    threads: int = 1,
    **settings: Any,
) -> ColumnFunction:
    """Return `function` with what it needs of the keyring: its `key`, and for blinding the secret
    of the session of the party `me`.

    It reads `columns`, by default named as the function's parameters, and adds the column `result`.
    `psi_id` takes several columns and needs no key. `settings` are `kind` of psi_id (one, or one a
    column with commas between), `scale` and `bound` of paillier_encrypt. Each worker computes on so
    many `threads`. Raises InvalidValue for what does not fit, KeyNotFound without the key.
    """
    work = _work(function)
    names = tuple(work.columns if columns is None else columns)
    _check_settings(function, work, names, settings, threads)
    secret = blinding = b""
    fingerprint = ""
    if work.key is not None:
        if keyring is None or key is None or session is None:
            raise InvalidValue(f"{function} needs a keyring, the name of a key and a session")
        if work.blinds and me is None:
            raise InvalidValue(f"{function} blinds for one party: give its name as me=")
        check_name("the session", session)
        kind = _KINDS[work.key]
        found = attrgetter(work.key)(keyring)(key)
        secret, fingerprint = kind.write(found), kind.public(found).fingerprint
        if work.blinds:
            blinding = Context(
                keyring, check_name("your own name (me)", me), session
            ).blinding_secret()
    return ColumnFunction(
        function,
        names,
        result or work.result,
        tuple({**dict(work.settings), **settings}.items()),
        threads,
        session or "",
        fingerprint,
        secret,
        blinding,
    )


@dataclass(frozen=True)
class ColumnFunction:
    """A function with its key, made by `column_function`: call it with a table or a record batch,
    and it returns that with the column `result` more.

    `session` and `fingerprint` (of the key, public) tell what it computes for.
    """

    function: str
    columns: tuple[str, ...]
    result: str
    settings: tuple[tuple[str, Any], ...]
    threads: int
    session: str
    fingerprint: str
    _key: bytes = field(repr=False)
    _blinding: bytes = field(repr=False)

    @property
    def batch(self) -> int:
        """How many rows to give it at a time where nothing else decides that."""
        return _work(self.function).batch

    @property
    def digest(self) -> str:
        """A hash of all that decides what it computes; of the blinding secret a MAC, from which
        nobody finds that."""
        told = [self.function, self.columns, self.result, self.settings, self.session]
        mac = hmac.digest(self._blinding, _BLINDING, "sha256").hex() if self._blinding else ""
        text = json.dumps([*told, self.fingerprint, mac])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def added(self) -> pa.Field:
        """The column that it adds."""
        return pa.field(self.result, _UDFS[self.function].arrow)

    def schema(self, of: pa.Schema) -> pa.Schema:
        """Return the schema of what comes out for rows of a schema. Raises InvalidValue where a
        column is missing, or the result's name is taken."""
        missing = [name for name in self.columns if of.get_field_index(name) < 0]
        if missing:
            raise InvalidValue(
                f"{self.function} reads the column {missing[0]!a}, and there is none, or several; "
                "name it with columns=[…]"
            )
        if self.result in of.names:
            raise InvalidValue(
                f"the rows have a column {self.result!a} already; name the result with result="
            )
        return of.append(self.added)

    def __call__(self, rows: Rows) -> Rows:
        """Return the rows with the result."""
        self.schema(rows.schema)
        arrays = [_one_array(rows.column(name)) for name in self.columns]
        computed = self._computed(arrays)
        if isinstance(rows, pa.RecordBatch):
            return pa.RecordBatch.from_arrays(
                [*rows.columns, computed], schema=self.schema(rows.schema)
            )
        return rows.append_column(self.added, computed)

    def batches(self, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return record batches with the result, one after the other."""
        return map(self, rows)

    def _computed(self, arrays: list[pa.Array]) -> pa.Array:
        try:
            with threads(self.threads):
                return self._compute([plain(array) for array in arrays])
        except DuckprivError:
            raise
        except Exception as error:
            raise unexpected(self.function, error) from None

    def _compute(self, arrays: list[pa.Array]) -> pa.Array:
        if self.function == "psi_id":
            return _composite(arrays, str(dict(self.settings)["kind"]).split(","))
        if _work(self.function).of_ids:
            arrays[0] = id_texts(arrays[0], "raw")
        udf, context = _UDFS[self.function], _context(self)
        arrays = list(map(_typed, self.columns, arrays, udf.parameters or ()))
        more = ["", *(value for _, value in self.settings)]

        def function(*columns: pa.Array) -> pa.Array:
            return udf.function(context, *columns, *(_repeated(x, len(columns[0])) for x in more))

        return without_nulls(function, tuple(arrays), udf.arrow)

    def __reduce__(self) -> tuple[type[ColumnFunction], tuple[Any, ...]]:
        return ColumnFunction, tuple(getattr(self, name) for name in self.__dataclass_fields__)


class _OneKey:
    """In the place of a keyring: one key, under any name, and the blinding secret."""

    def __init__(self, kind: str, key: Any, blinding: bytes) -> None:
        keys, half = kind.split(".")
        setattr(self, keys, SimpleNamespace(**{half: lambda name: key}))
        self.secret = lambda name: blinding


@lru_cache(maxsize=8)
def _context(function: ColumnFunction) -> Context:
    """Return what the function works with, read once a process."""
    kind = str(_work(function.function).key)
    key = _KINDS[kind].read(function._key)
    return Context(cast(Keyring, _OneKey(kind, key, function._blinding)), None, function.session)


def _work(function: str) -> _Work:
    if function not in _WORK:
        raise InvalidValue(
            f"workers do not know the function {function!a}; they have {', '.join(_WORK)}"
        )
    return _WORK[function]


def _check_settings(
    function: str, work: _Work, columns: tuple[str, ...], settings: dict[str, Any], number: int
) -> None:
    if (work.key is not None and len(columns) != len(work.columns)) or not columns:
        raise InvalidValue(
            f"{function} reads {len(work.columns)} columns: {', '.join(work.columns)}"
        )
    for name in settings:
        if name not in dict(work.settings):
            known = ", ".join(dict(work.settings)) or "none"
            raise InvalidValue(f"{function} has no setting {name!a}; it has {known}")
    if function == "psi_id":
        kinds = str(settings.get("kind", "raw")).split(",")
        if len(kinds) not in (1, len(columns)) or not {*kinds} <= {*KINDS}:
            raise InvalidValue(
                "give one kind of id for all columns, or one each with commas between; the kinds "
                f"are {', '.join(KINDS)}"
            )
    if not 1 <= number <= _MOST_THREADS:
        raise InvalidValue(f"threads is a number from 1 to {_MOST_THREADS}")


def _composite(columns: list[pa.Array], kinds: list[str]) -> pa.Array:
    """Return what SQL's psi_ids does: of several columns the list of their texts, as one text."""
    kinds = kinds if len(kinds) == len(columns) else kinds * len(columns)
    texts = [id_texts(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    if len(texts) == 1:
        return texts[0]
    parts = [list(row) for row in zip(*(text.to_pylist() for text in texts), strict=True)]
    return id_texts(pa.array(parts, pa.list_(pa.string())), "raw")


def _one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _typed(name: str, array: pa.Array, sql_type: str) -> pa.Array:
    """Return a column in the type that the function is declared with."""
    try:
        return array.cast(_TYPES[sql_type])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InvalidValue(
            f"the column {name!a} is of the Arrow type {str(array.type)[:60]}, and has to be "
            f"{sql_type}; cast it"
        ) from None


def _repeated(value: Any, rows: int) -> pa.Array:
    """As DuckDB gives a constant to a function."""
    return pa.repeat(pa.scalar(value), rows)
