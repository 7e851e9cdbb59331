"""OPRF(ristretto255, SHA-512) in verifiable mode, RFC 9497, on columns.

Scalars are 32 bytes, little-endian; elements the 32 bytes of RFC 9496. The proof of a batch is the
RFC's (section 2.2) but for one thing: the seed of its weights also binds all elements of the batch,
as in Davidson, Goldberg, Sullivan, Tankersley and Valsorda 2018, section 3.2.1. In the RFC a weight
depends on its own pair of elements only. Whoever has the key can then try values for one pair
after the other until the errors, weighted, add up to 0: a generalised birthday problem (Wagner
2002) that is within reach for some hundred pairs, and batches here are larger.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

import gmpy2
import numpy as np

from . import modarith, ristretto
from .bytecolumns import from_rows, rows_of
from .columnhashing import shake256
from .parallel import ByteMatrix

ELEMENT_BYTES = SCALAR_BYTES = TOKEN_BYTES = 32
PROOF_BYTES = 2 * SCALAR_BYTES
LONGEST_INPUT = MOST_IN_BATCH = 65535  # lengths and places have two bytes
_CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"  # section 3.1; 1 is the verifiable mode
_TO_GROUP, _TO_SCALAR = b"HashToGroup-" + _CONTEXT, b"HashToScalar-" + _CONTEXT
_SEED = b"Seed-" + _CONTEXT


def random_scalar() -> bytes:
    """Draw a scalar that is not 0 (section 4.7.2: of 512 random bits)."""
    return _scalar(1 + int.from_bytes(secrets.token_bytes(64), "little") % (ristretto.ORDER - 1))


def derive_key(seed: bytes, info: bytes) -> bytes:
    """DeriveKeyPair (section 3.2.1): the private key of 32 bytes of seed and any info."""
    message = seed + _prefixed(info)
    for counter in range(256):
        key = _hash_to_scalar(message + bytes([counter]), b"DeriveKeyPair" + _CONTEXT)
        if any(key):
            return key
    raise ValueError("no key can be derived from this seed")


def public_key(private: bytes) -> bytes:
    """Return the element of a private key."""
    return ristretto.multiply_base(_row(private)).tobytes()


def blind(inputs: Sequence[bytes], blinds: ByteMatrix) -> ByteMatrix:
    """Blind (section 3.3.2), with these blinds instead of random ones."""
    return ristretto.hash_and_multiply(inputs, _TO_GROUP, blinds)


def evaluate(blinded: ByteMatrix, private: bytes) -> ByteMatrix:
    """BlindEvaluate (section 3.3.2) without its proof. Raises InvalidValue for what is no
    element, or the identity."""
    return ristretto.multiply(blinded, _row(private))


def prove(
    blinded: ByteMatrix, evaluated: ByteMatrix, private: bytes, nonce: bytes | None = None
) -> bytes:
    """GenerateProof (section 2.2.1) that all were evaluated with this private key."""
    public = public_key(private)
    weights = _weights(public, blinded, evaluated)
    return _prove(public, ristretto.weighted_sum(blinded, weights), private, nonce)


def proves(proof: bytes, blinded: ByteMatrix, evaluated: ByteMatrix, public: bytes) -> bool:
    """VerifyProof (section 2.2.2). Raises InvalidValue for what is no element, or the identity."""
    weights = _weights(public, blinded, evaluated)
    m = ristretto.weighted_sum(blinded, weights)
    z = ristretto.weighted_sum(evaluated, weights)
    return _proves(proof, public, m, z)


def unblind(evaluated: ByteMatrix, blinds: ByteMatrix) -> ByteMatrix:
    """The first half of Finalize (section 3.3.2): the elements without their blinds."""
    return ristretto.multiply(evaluated, _inverses(blinds))


def outputs(inputs: Sequence[bytes], elements: ByteMatrix) -> ByteMatrix:
    """The second half of Finalize: (rows, 64)."""
    pairs = zip(inputs, rows_of(elements), strict=True)
    return ristretto.sha512(b"", [_prefixed(x) + _prefixed(e) for x, e in pairs], b"Finalize")


def elements(inputs: Sequence[bytes], private: bytes) -> ByteMatrix:
    """The elements of Evaluate (section 3.3.1), for inputs of one's own."""
    return blind(inputs, _row(private))


def blinds(inputs: Sequence[bytes], secret: bytes, public: bytes) -> ByteMatrix:
    """Return a blind for each input: a pseudo-random function of it.

    RFC 9497 draws them at random and keeps them; here they are derived again at Finalize from
    the session's secret (32 bytes), so that no secret needs a column. Another key means other
    blinds.
    """
    tag = b"duckpriv/oprf-blind/v1"
    return ristretto.reduce(shake256(secret + public, inputs, tag + bytes([len(tag)]), 64))


def quotient(scalar: bytes, divisor: bytes) -> bytes:
    """Return scalar / divisor."""
    inverse = gmpy2.powmod_sec(_number(divisor), ristretto.ORDER - 2, ristretto.ORDER)
    return _scalar(_number(scalar) * inverse % ristretto.ORDER)


def _weights(public: bytes, blinded: ByteMatrix, evaluated: ByteMatrix) -> ByteMatrix:
    """The d_i of ComputeComposites (section 2.2.1), and a seed that binds batches of three or more
    as said above."""
    if not 0 < len(blinded) == len(evaluated) <= MOST_IN_BATCH:
        raise ValueError("a batch has 1 to 65535 elements, as many before as after")
    transcript = _prefixed(public) + _prefixed(_SEED)
    if len(blinded) > 2:
        transcript += hashlib.sha512(blinded.tobytes() + evaluated.tobytes()).digest()
    seed = _prefixed(hashlib.sha512(transcript).digest())
    rows = len(blinded)
    places = np.arange(rows, dtype=">u2").view(np.uint8).reshape(rows, 2)
    length, end = (from_rows([x] * rows, len(x)) for x in (b"\0\x20", b"Composite"))
    composites = np.hstack([places, length, blinded, length, evaluated, end])
    return ristretto.reduce(ristretto.expand(composites, _TO_SCALAR, seed))


def _prove(public: bytes, m: bytes, private: bytes, nonce: bytes | None) -> bytes:
    r = nonce or random_scalar()
    z, t2, t3 = _times(m, private), ristretto.multiply_base(_row(r)).tobytes(), _times(m, r)
    c = _challenge(public, m, z, t2, t3)
    s = _number(r) - _number(c) * _number(private)
    return c + _scalar(s % ristretto.ORDER)


def _proves(proof: bytes, public: bytes, m: bytes, z: bytes) -> bool:
    if len(proof) != PROOF_BYTES:
        return False
    c, s = proof[:SCALAR_BYTES], proof[SCALAR_BYTES:]
    if _number(c) >= ristretto.ORDER or _number(s) >= ristretto.ORDER:
        return False
    t2 = _sum([ristretto.BASE, public], [s, c])
    t3 = _sum([m, z], [s, c])
    return secrets.compare_digest(c, _challenge(public, m, z, t2, t3))


def _challenge(*elements: bytes) -> bytes:
    return _hash_to_scalar(b"".join(map(_prefixed, elements)) + b"Challenge", _TO_SCALAR)


def _hash_to_scalar(message: bytes, dst: bytes) -> bytes:
    return ristretto.reduce(ristretto.expand([message], dst)).tobytes()


def _inverses(scalars: ByteMatrix) -> ByteMatrix:
    reversed_ = np.ascontiguousarray(scalars[:, ::-1])
    return np.ascontiguousarray(modarith.inverse(reversed_, ristretto.ORDER)[:, ::-1])


def _times(element: bytes, scalar: bytes) -> bytes:
    return ristretto.multiply(_row(element), _row(scalar)).tobytes()


def _sum(elements: list[bytes], scalars: list[bytes]) -> bytes:
    return ristretto.weighted_sum(from_rows(elements, 32), from_rows(scalars, 32))


def _row(value: bytes) -> ByteMatrix:
    return from_rows([value], 32)


def _number(scalar: bytes) -> int:
    return int.from_bytes(scalar, "little")


def _scalar(number: int) -> bytes:
    return int(number).to_bytes(SCALAR_BYTES, "little")


def _prefixed(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value
