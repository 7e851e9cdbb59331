"""The oblivious pseudo-random function (RFC 9497), and Diffie-Hellman masks, as SQL functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pyarrow as pa

from ..crypto import oprf
from ..crypto.hashing import labelled
from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue, ProtocolError
from ..keys import OprfPublicKey
from .arrays import constant, to_blobs, to_matrix
from .context import Context
from .keygen import keygen

EVALUATION = pa.struct({"evaluated": pa.list_(pa.binary()), "proof": pa.binary()})
_LONG_ID = 1024


def oprf_keygen(context: Context, names: pa.Array) -> pa.Array:
    """Make one key pair a row in the keyring; return what may be told of it."""
    keyring = context.need_keyring()
    return keygen(keyring, keyring.oprf.generate, names)


def oprf_public_key(context: Context, names: pa.Array) -> pa.Array:
    """Return each public key."""
    keyring = context.need_keyring()
    return pa.array([keyring.oprf.public(name).encoded for name in names.to_pylist()], pa.binary())


def oprf_blind(context: Context, ids: pa.Array, key: pa.Array) -> pa.Array:
    """Blind each id."""
    public = context.need_keyring().oprf.public(constant(key, "the key"))
    inputs = _inputs(context, ids)
    return to_blobs(oprf.blind(inputs, _blinds(context, inputs, public)))


def oprf_evaluate(context: Context, blinded: pa.Array, key: pa.Array) -> pa.Array:
    """Evaluate lists of blinded ids, each with the proof that all were evaluated with the key."""
    private = context.need_keyring().oprf.private(constant(key, "the key")).scalar
    lists, proofs = [], []
    for batch in _batches(blinded, "blinded values"):
        evaluated = oprf.evaluate(batch, private)
        lists.append(to_blobs(evaluated))
        proofs.append(oprf.prove(batch, evaluated, private))
    return pa.StructArray.from_arrays(
        [_lists(lists), pa.array(proofs, pa.binary())], fields=list(EVALUATION)
    )


def oprf_finalize(
    context: Context,
    ids: pa.Array,
    blinded: pa.Array,
    evaluated: pa.Array,
    proofs: pa.Array,
    key: pa.Array,
) -> pa.Array:
    """Check each list's proof, unblind its values, and return the ids' tokens."""
    public = context.need_keyring().oprf.public(constant(key, "the key"))
    lists = []
    proven = _proven(blinded, evaluated, proofs, public)
    for texts, (before, after) in zip(ids, proven, strict=True):
        if len(texts.values) != len(before) or texts.values.null_count:
            raise InvalidValue("there have to be as many ids as blinded values, and no NULL")
        inputs = _inputs(context, texts.values)
        elements = oprf.unblind(after, _blinds(context, inputs, public))
        lists.append(_tokens(inputs, elements))
    return _lists(lists)


def oprf_token(context: Context, ids: pa.Array, key: pa.Array) -> pa.Array:
    """Return the tokens of one's own ids."""
    private = context.need_keyring().oprf.private(constant(key, "the key"))
    inputs = _inputs(context, ids)
    return _tokens(inputs, oprf.elements(inputs, private.scalar))


def dh_mask(context: Context, ids: pa.Array, key: pa.Array) -> pa.Array:
    """Mask each id: hashed to the group, times the private key."""
    private = context.need_keyring().oprf.private(constant(key, "the key"))
    return to_blobs(oprf.elements(_inputs(context, ids), private.scalar))


def dh_remask(context: Context, masked: pa.Array, key: pa.Array, old: pa.Array) -> pa.Array:
    """Multiply masked ids by a private key, and divide them by another one where `old` has a
    name."""
    keyring = context.need_keyring()
    scalar = keyring.oprf.private(constant(key, "the key")).scalar
    if before := constant(old, "the old key"):
        scalar = oprf.quotient(scalar, keyring.oprf.private(before).scalar)
    elements = to_matrix(masked, oprf.ELEMENT_BYTES, "masked values")
    return to_blobs(oprf.evaluate(elements, scalar))


def oprf_verify(
    context: Context, blinded: pa.Array, evaluated: pa.Array, proofs: pa.Array, key: pa.Array
) -> pa.Array:
    """Return True for each list whose proof holds. Raises ProtocolError where one does not."""
    public = context.need_keyring().oprf.public(constant(key, "the key"))
    return pa.array([True for _ in _proven(blinded, evaluated, proofs, public)], pa.bool_())


def _proven(
    blinded: pa.Array, evaluated: pa.Array, proofs: pa.Array, public: OprfPublicKey
) -> Iterator[tuple[ByteMatrix, ByteMatrix]]:
    """Return each list before and after it was evaluated, once its proof has been checked."""
    befores, afters = _batches(blinded, "blinded values"), _batches(evaluated, "evaluated values")
    for before, after, proof in zip(befores, afters, proofs.to_pylist(), strict=True):
        if len(before) != len(after) or not oprf.proves(proof, before, after, public.element):
            raise ProtocolError(
                f"the proof of {len(before)} evaluated values does not hold; the peer evaluated "
                "with another key, or its answer belongs to other ids or another session"
            )
        yield before, after


def _inputs(context: Context, ids: pa.Array) -> list[bytes]:
    """Return what is evaluated for each id: the session enters it, so that no token is the same
    in two sessions."""
    prefix = labelled("duckpriv/oprf/id/v1", context.need_session().encode())
    texts = [text.encode() for text in ids.to_pylist()]
    return [prefix + (b"\0" + t if len(t) <= _LONG_ID else _hashed(t)) for t in texts]


def _hashed(text: bytes) -> bytes:
    return b"\1" + hashlib.sha512(text).digest()  # the OPRF takes 65,535 bytes


def _blinds(context: Context, inputs: Sequence[bytes], public: OprfPublicKey) -> ByteMatrix:
    return oprf.blinds(inputs, context.blinding_secret(), public.element)


def _tokens(inputs: Sequence[bytes], elements: ByteMatrix) -> pa.Array:
    return to_blobs(oprf.outputs(inputs, elements)[:, : oprf.TOKEN_BYTES])


def _batches(lists: pa.Array, what: str) -> Iterator[ByteMatrix]:
    """One after the other, since a vector of DuckDB's may hold millions of values."""
    for values in lists:
        batch = to_matrix(values.values, oprf.ELEMENT_BYTES, what)
        if not 0 < len(batch) <= oprf.MOST_IN_BATCH:
            raise InvalidValue(
                f"a list of {len(batch)} {what}; lists have 1 to {oprf.MOST_IN_BATCH} of them"
            )
        yield batch


def _lists(lists: Sequence[pa.Array]) -> pa.Array:
    offsets = [0]
    for values in lists:
        offsets.append(offsets[-1] + len(values))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.concat_arrays(lists))
