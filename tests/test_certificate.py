"""The certificate of an identity: what passes as one, and that it stays the same."""

from __future__ import annotations

import json
import stat
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv import InvalidValue, Keyring
from duckpriv.keys import Identity, PublicIdentity, certificate
from tests.network import leaf

OWN = Identity.generate("bank")
PUBLIC = OWN.public
USAGE = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])


def test_an_identity_stays_the_same(tmp_path) -> None:
    made = Keyring(tmp_path / "k").create_identity("bank")
    again = Keyring(tmp_path / "k").identity("bank").public
    assert (again.text, again.fingerprint) == (made.text, made.fingerprint)
    file = tmp_path / "k" / "identity-bank.identity.private"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PublicIdentity.from_text(made.text) == made
    assert len(made.text) < 2048


def test_a_leaf_has_the_two_names_and_is_the_identitys() -> None:
    pem, key = OWN.leaf()
    made = x509.load_pem_x509_certificate(pem)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName(PUBLIC.tls_name), x509.DNSName(certificate.MAILBOX_NAME)]
    made.verify_directly_issued_by(x509.load_der_x509_certificate(PUBLIC.certificate))
    assert serialization.load_pem_private_key(key, None).public_key() == made.public_key()
    assert OWN.leaf()[1] != key
    assert OWN.certifies.hex() not in PUBLIC.text


def test_names_differ_by_name_and_key() -> None:
    names = {certificate.tls_name(name, key) for name in "ab" for key in (b"x" * 32, b"y" * 32)}
    assert len(names) == 4


def forged(**changes) -> bytes:
    """A self-signed certificate that differs from an authority's in one thing."""
    key = changes.get("key", ec.generate_private_key(ec.SECP256R1()))
    name = changes.get("subject", PUBLIC.tls_name)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer = changes.get("issuer", subject)
    builder = certificate._builder(
        subject, issuer, key.public_key(), changes.get("days", certificate.timedelta(days=9))
    )
    extensions = certificate._authority_extensions(PUBLIC.tls_name, key.public_key())
    for extension in changes.get("extensions", lambda given: given)(extensions):
        builder = builder.add_extension(extension.value, extension.critical)
    signed = builder.sign(changes.get("signer", key), changes.get("hash", hashes.SHA256()))
    return signed.public_bytes(serialization.Encoding.DER)


def with_identity(der: bytes) -> str:
    """Sign an identity with this certificate, as its owner could."""
    unsigned = replace(PUBLIC, certificate=der, proof=b"")
    return replace(unsigned, proof=OWN.sign(unsigned._signed)).text


def other_constraints(*names: str):
    value = x509.NameConstraints([x509.DNSName(name) for name in names], None)

    def change(extensions: list) -> list:
        return [
            x509.Extension(value.oid, True, value) if e.oid == value.oid else e for e in extensions
        ]

    return change


def test_an_authority_as_it_should_be_passes() -> None:
    assert PublicIdentity.from_text(with_identity(forged())).name == "bank"


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "x.duckpriv.invalid"},
        {"issuer": x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])},
        {"key": ec.generate_private_key(ec.SECP384R1())},
        {"signer": ec.generate_private_key(ec.SECP256R1())},
        {"hash": hashes.SHA512()},
        {"extensions": lambda given: []},
        {"extensions": lambda given: given[:2]},
        {"extensions": lambda given: given[::-1]},
        {"extensions": other_constraints("duckpriv.invalid")},
        {"extensions": other_constraints("x.duckpriv.invalid")},
        {"extensions": other_constraints(PUBLIC.tls_name, certificate.MAILBOX_NAME)},
        {"extensions": lambda given: [x509.Extension(e.oid, False, e.value) for e in given]},
        {"extensions": lambda given: [*given, x509.Extension(USAGE.oid, False, USAGE)]},
    ],
)
def test_other_authorities_are_refused(changes: dict) -> None:
    with pytest.raises(InvalidValue, match="this is no identity"):
        PublicIdentity.from_text(with_identity(forged(**changes)))


def test_anothers_certificate_and_a_leaf_are_refused() -> None:
    pem = x509.load_pem_x509_certificate(leaf(OWN)[0])
    for der in (
        Identity.generate("bank").public.certificate,
        pem.public_bytes(serialization.Encoding.DER),
        PUBLIC.certificate + b"\0",
        PUBLIC.certificate * 2,
        b"",
    ):
        with pytest.raises(InvalidValue, match="this is no identity"):
            PublicIdentity.from_text(with_identity(der))


@pytest.mark.filterwarnings(
    "ignore"
)  # what is odd in a certificate, cryptography says before it fails
@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(PUBLIC.certificate) - 1), st.binary(max_size=3))
def test_a_mutated_certificate_is_refused(at: int, put: bytes) -> None:
    der = PUBLIC.certificate
    changed = der[:at] + put + der[at + 1 :]
    if changed != der:
        with pytest.raises(ValueError, match="certificate"):
            certificate.check_authority(changed, PUBLIC.tls_name)


def test_the_certificate_is_under_fingerprint_and_proof() -> None:
    fields = json.loads(PUBLIC.text)
    fields["certificate"] = forged().hex()
    with pytest.raises(InvalidValue, match="damaged, or not signed"):
        PublicIdentity.from_text(json.dumps(fields))
    assert replace(PUBLIC, certificate=forged()).fingerprint != PUBLIC.fingerprint


@pytest.mark.parametrize(
    "data",
    [
        b"",
        OWN.encoded[:64],  # of the first version
        OWN.encoded[:-1],
        OWN.encoded + b"\0",
        OWN.encoded[:64] + bytes(32) + OWN.certificate,
        OWN.encoded[:64] + b"\xff" * 32 + OWN.certificate,
        OWN.encoded[:64] + Identity.generate("bank").certifies + OWN.certificate,
        Identity.generate("bank").signs + OWN.encoded[32:],
    ],
    ids=str.split("empty format-1 short long zero-key huge-key other-key other-signer"),
)
def test_a_damaged_file_of_an_identity(data: bytes) -> None:
    with pytest.raises(InvalidValue, match="damaged, or an earlier duckpriv"):
        Identity.from_bytes(data, "bank")
