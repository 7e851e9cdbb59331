"""For tests of mailboxes over the network: messages, certificates as no identity issues them, and a
connection that breaks."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from duckpriv import Keyring
from duckpriv.crypto import sealing
from duckpriv.exchange.message.manifest import FORMAT, Manifest, parameters_hash
from duckpriv.exchange.message.protection import Protection
from duckpriv.keys import Identity
from duckpriv.keys.certificate import MAILBOX_NAME


def message(
    keyring: Keyring, folder: Path, sender: str, receiver: str, channel: str = "data", size=1000
) -> tuple[Manifest, Path]:
    """Seal random bytes; return manifest and sealed content."""
    sealed = folder / f"{sender}.{channel.replace('/', '.')}.sealed"
    key = sealing.new_key()
    with sealed.open("wb") as target:
        sealer = sealing.Sealer(key, target.write)
        sealer.write(os.urandom(size))
        sealer.finish()
    manifest = Manifest(
        format=FORMAT,
        session="s1",
        sender=sender,
        receiver=receiver,
        channel=channel,
        protocol="psi/1",
        parameters="kind=raw",
        parameters_sha256=parameters_hash("psi/1", "kind=raw"),
        columns=(("x", "int64"),),
        rows=3,
        bytes=sealed.stat().st_size,
        sha256=hashlib.sha256(sealed.read_bytes()).hexdigest(),
    )
    return Protection(keyring, sender).protect(manifest, key), sealed


def sign(keyring: Keyring, manifest: Manifest) -> Manifest:
    """Sign a manifest that was changed, as its sender could."""
    from dataclasses import replace

    from duckpriv.exchange.message.protection import _signed

    signature = keyring.identity(manifest.sender).sign(_signed(manifest)).hex()
    return replace(manifest, sealed=replace(manifest.sealed, signature=signature))


def leaf(
    issuer: Identity,
    names: list[x509.GeneralName] | None = None,
    *,
    common_name: str = "",
    days: tuple[float, float] = (-1, 30),
) -> tuple[bytes, bytes]:
    """Issue a certificate with any names and any validity."""
    signer = ec.derive_private_key(int.from_bytes(issuer.certifies, "big"), ec.SECP256R1())
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    if names is None:
        names = [x509.DNSName(issuer.public.tls_name), x509.DNSName(MAILBOX_NAME)]
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(x509.load_der_x509_certificate(issuer.certificate).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    certificate = builder.sign(signer, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def free_port() -> int:
    """Return a port where nobody listens, and which the system gives to no connection (those are
    from 32768 on): one could keep a server that was killed from coming back."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Proxy:
    """Passes TCP on to a port. The first `broken` connections end after `after` bytes in one
    direction; or fall silent then, where `silent`."""

    def __init__(self, port: int, after: int = 0, broken: int = 0, silent: bool = False) -> None:
        self.target, self.moved, self.connections = port, 0, 0
        self._after, self._broken, self._silent = after, broken, silent
        self._ends: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                self._ends.append(client)
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    client.close()
                    continue
                self._ends.append(server)
                self.connections += 1
                left = self._after if self.connections <= self._broken else 1 << 60
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(*pair, left), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, left: int) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                left -= len(data)
                self.moved += len(data)
                if left < 0:
                    if self._silent:
                        return
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
