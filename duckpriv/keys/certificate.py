"""X.509 certificates (RFC 5280) of identities, for TLS between parties.

An identity has a certificate authority of its own: a key on P-256 and a certificate that it signs
itself, good for years, which the identity's fingerprint covers. For a run it issues a leaf to a key
that only lives in memory. What an authority may say is narrow: name constraints (§4.2.1.10) permit
the DNS name that belongs to its identity, and the one that all mailboxes share. So a trusted peer
cannot issue a certificate in the name of another one.

P-256, since BoringSSL, which some builds of gRPC use, takes no Ed25519 in TLS by default.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from ..crypto.hashing import sha256

# The name by which a client knows that it speaks with a mailbox of somebody whom it trusts. The
# individual name says who it is. '.invalid' (RFC 2606) can be nobody's on the Internet.
MAILBOX_NAME = "mailbox.duckpriv.invalid"
KEY_BYTES = 32
LARGEST = 1024  # ours have about 600 bytes
_AUTHORITY_DAYS, _LEAF_DAYS = 3653, 397
_BACKDATED = timedelta(days=1)  # clocks differ
_HASH = hashes.SHA256()
# What `cryptography` raises for a certificate that is not well-formed.
_DAMAGED = (
    *(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm),
    *(x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType),
)


def tls_name(name: str, verifies: bytes) -> str:
    """Return the DNS name of the identity of this name and Ed25519 key."""
    digest = sha256("duckpriv/identity/tls-name/v1", name.encode(), verifies).hex()
    return f"{digest[:32]}.duckpriv.invalid"


def generate_authority(dns_name: str) -> tuple[bytes, bytes]:
    """Draw the key of an authority for `dns_name`; return it (32 bytes, secret) and its
    certificate (DER)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(dns_name)
    builder = _builder(subject, subject, key.public_key(), timedelta(days=_AUTHORITY_DAYS))
    for extension in _authority_extensions(dns_name, key.public_key()):
        builder = builder.add_extension(extension.value, extension.critical)
    certificate = builder.sign(key, _HASH)
    secret = key.private_numbers().private_value.to_bytes(KEY_BYTES, "big")
    return secret, certificate.public_bytes(serialization.Encoding.DER)


def check_authority(der: bytes, dns_name: str) -> None:
    """Raise ValueError unless these untrusted bytes are a certificate as `generate_authority`
    makes them for `dns_name`. Whether it is valid today is TLS's question."""
    if len(der) > LARGEST:
        raise ValueError("the certificate is too long")
    try:
        certificate = x509.load_der_x509_certificate(der)
        if not _is_authority(certificate, _subject(dns_name), dns_name):
            raise ValueError("the certificate is not as an identity has it")
        certificate.verify_directly_issued_by(certificate)
    except _DAMAGED as error:
        raise ValueError("the certificate does not parse, or does not verify") from error


def _is_authority(certificate: x509.Certificate, subject: x509.Name, dns_name: str) -> bool:
    key = certificate.public_key()
    return (
        isinstance(key, ec.EllipticCurvePublicKey)
        and isinstance(key.curve, ec.SECP256R1)
        and certificate.version == x509.Version.v3
        and certificate.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256
        and certificate.subject == certificate.issuer == subject
        and certificate.not_valid_before_utc < certificate.not_valid_after_utc
        and list(certificate.extensions) == _authority_extensions(dns_name, key)
    )


def check_key(secret: bytes, der: bytes) -> None:
    """Raise ValueError unless the certificate, which `check_authority` passed, is of this key."""
    public = x509.load_der_x509_certificate(der).public_key()
    if len(secret) != KEY_BYTES or _private(secret).public_key() != public:
        raise ValueError("the certificate is of another key")


def issue(secret: bytes, authority: bytes, dns_name: str) -> tuple[bytes, bytes]:
    """Draw a key for a run and certify it; return certificate and key, both PEM."""
    signer = _private(secret)
    issuer = x509.load_der_x509_certificate(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(x509.Name([]), issuer.subject, key.public_key(), timedelta(days=_LEAF_DAYS))
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    # The individual name comes first: gRPC gives the first one as the peer's identity.
    names = [x509.DNSName(dns_name), x509.DNSName(MAILBOX_NAME)]
    certificate = (
        # §4.2.1.6: critical, as the subject is empty
        builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, _HASH)
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def to_pem(der: bytes) -> bytes:
    """Return a certificate in PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def _private(secret: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, good_for: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + good_for)
    )


def _subject(dns_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dns_name)])


def _authority_extensions(
    dns_name: str, key: ec.EllipticCurvePublicKey
) -> list[x509.Extension[x509.ExtensionType]]:
    # A leaf's name of a kind without constraint could be any text (§4.2.1.10), and gRPC takes DNS
    # names, e-mail addresses and URIs alike for a peer's identity.
    constraints = x509.NameConstraints(
        permitted_subtrees=[
            x509.DNSName(dns_name),
            x509.DNSName(MAILBOX_NAME),
            x509.RFC822Name(dns_name),
            x509.UniformResourceIdentifier(dns_name),
        ],
        excluded_subtrees=None,
    )
    critical: list[x509.ExtensionType] = [
        x509.BasicConstraints(ca=True, path_length=0),
        _usage(key_cert_sign=True),
        constraints,
    ]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return [
        *(x509.Extension(value.oid, True, value) for value in critical),
        x509.Extension(identifier.oid, False, identifier),
    ]


def _usage(*, key_cert_sign: bool = False, digital_signature: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
