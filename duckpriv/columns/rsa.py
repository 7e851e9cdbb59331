"""RSA keys and blind signatures (RFC 9474) as SQL functions."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from ..crypto import rsabssa
from ..crypto.bytecolumns import rows_of
from ..crypto.hashing import labelled
from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue, ProtocolError
from ..keys import RsaPublicKey
from .arrays import constant, to_blobs, to_matrix
from .context import Context
from .keygen import keygen


def rsa_keygen(context: Context, names: pa.Array, bits: pa.Array) -> pa.Array:
    """Make one RSA key pair a row in the keyring; return what may be told of it."""
    keyring = context.need_keyring()
    return keygen(keyring, keyring.rsa.generate, names, bits)


def rsa_public_key(context: Context, names: pa.Array) -> pa.Array:
    """Return the DER SubjectPublicKeyInfo of each key."""
    keyring = context.need_keyring()
    return pa.array([keyring.rsa.public(name).der for name in names.to_pylist()], pa.binary())


def rsa_key_proof(context: Context, names: pa.Array) -> pa.Array:
    """Return for each private key the proof that e is prime to phi(N)."""
    keyring = context.need_keyring()
    proofs = []
    for name in names.to_pylist():
        private = keyring.rsa.private(name)
        proofs.append(rsabssa.key_proof(private.operation, private.public.modulus))
    return pa.array(proofs, pa.binary())


def key_import(
    context: Context, names: pa.Array, keys: pa.Array, kinds: pa.Array, proofs: pa.Array
) -> pa.Array:
    """Check a peer's public keys of these kinds, and their proofs unless these are empty, and keep
    the keys under the names; return the fingerprints."""
    keyring = context.need_keyring()
    fingerprints = []
    columns = (column.to_pylist() for column in (names, keys, kinds, proofs))
    for name, der, kind, proof in zip(*columns, strict=True):
        if proof and not rsabssa.check_key_proof(proof, RsaPublicKey.from_der(der).modulus):
            raise ProtocolError(
                "the key's proof does not hold: the peer's RSA key could be made to see through "
                "blinding. Nothing was imported"
            )
        fingerprints.append(keyring.import_public(name, der, kind).fingerprint)
    return pa.array(fingerprints, pa.string())


def key_forget(context: Context, names: pa.Array) -> pa.Array:
    """Delete keys and secrets from the keyring; return their names."""
    keyring = context.need_keyring()
    for name in names.to_pylist():
        keyring.remove(name)
    return names


def rsa_blind(context: Context, ids: pa.Array, key: pa.Array) -> pa.Array:
    """Blind each id under the peer's public key."""
    public = context.need_keyring().rsa.public(constant(key, "the key"))
    messages = _messages(ids)
    factors = rsabssa.blinding_factors(messages, context.blinding_secret(), public.modulus)
    encoded = rsabssa.encode(messages, public.modulus)
    return to_blobs(rsabssa.blind(encoded, factors, public.modulus))


def blind_sign(context: Context, blinded: pa.Array, key: pa.Array) -> pa.Array:
    """Sign blinded values with the private key, after checking their length and range."""
    private = context.need_keyring().rsa.private(constant(key, "the key"))
    modulus = private.public.modulus
    values = to_matrix(blinded, private.public.width, "blinded values")
    bad = rsabssa.out_of_range(values, modulus)
    if bad:
        raise InvalidValue(
            f"{bad} of {len(values)} blinded values are out of range; each has to be more than 1 "
            "and less than N - 1. Nothing was signed"
        )
    return to_blobs(rsabssa.sign(values, private.operation))


def rsa_finalize(context: Context, ids: pa.Array, signed: pa.Array, key: pa.Array) -> pa.Array:
    """Unblind and verify each signature, and hash it to the id's token."""
    public = context.need_keyring().rsa.public(constant(key, "the key"))
    modulus = public.modulus
    messages = _messages(ids)
    values = to_matrix(signed, public.width, "signed values")
    if any(int.from_bytes(row, "big") >= modulus for row in rows_of(values)):
        raise ProtocolError("a signed value is not less than N; the peer sent no signature")
    factors = rsabssa.blinding_factors(messages, context.blinding_secret(), modulus)
    signatures = rsabssa.unblind(values, factors, modulus)
    invalid = rsabssa.invalid_signatures(signatures, rsabssa.encode(messages, modulus), modulus)
    if invalid:
        raise ProtocolError(
            f"{invalid} of {len(values)} signatures do not verify under the imported key; the peer "
            "signed with another key, or its answer belongs to other ids or another session"
        )
    return _tokens(context, signatures)


def rsa_token(context: Context, ids: pa.Array, key: pa.Array) -> pa.Array:
    """Sign one's own ids with the private key, and hash each signature to the id's token."""
    private = context.need_keyring().rsa.private(constant(key, "the key"))
    modulus = private.public.modulus
    encoded = rsabssa.encode(_messages(ids), modulus)
    return _tokens(context, rsabssa.sign(encoded, private.operation))


def _messages(ids: pa.Array) -> list[bytes]:
    return [labelled("duckpriv/psi/id/v1", text.encode()) for text in ids.to_pylist()]


def _tokens(context: Context, signatures: ByteMatrix) -> pa.Array:
    """Hash signatures to 32-byte tokens of this session."""
    prefix = labelled("duckpriv/psi/token/v1", context.need_session().encode())
    tokens = [hashlib.sha256(prefix + row).digest() for row in rows_of(signatures)]
    return pa.array(tokens, pa.binary())
