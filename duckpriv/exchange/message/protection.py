"""Messages that are encrypted to their receiver and signed by their sender.

The content is sealed (`crypto/sealing.py`). The manifest, which stays readable for the carrier, is
signed whole: session, sender, receiver, channel, protocol, parameters, columns, rows, and length,
digest and wrapped key of what was sealed. The wrapped key is bound to the same names, and to the
fingerprints of both parties. So whoever carries messages can read manifests and withhold messages,
but not read contents, nor alter, exchange or move anything.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property

from ...crypto import sealing
from ...crypto.hashing import labelled
from ...errors import MessageRejected
from ...keyring import Keyring
from ...keys.identity import PublicIdentity
from .manifest import Manifest, Sealed


class Protection:
    """A party's identity, and those that it trusts."""

    def __init__(self, keyring: Keyring, me: str) -> None:
        self._keyring, self._identity = keyring, keyring.identity(me)

    @cached_property
    def _own(self) -> PublicIdentity:
        return self._identity.public

    def protect(self, manifest: Manifest, key: bytes) -> Manifest:
        """Return the signed manifest of a message whose content was sealed with `key`. Raises
        KeyNotFound where the receiver is not trusted."""
        receiver = self._keyring.trusted(manifest.receiver)
        wrapped = sealing.wrap_key(key, receiver.receives, _bound(manifest, self._own, receiver))
        unsigned = replace(
            manifest,
            sealed=Sealed(
                sender=self._own.fingerprint,
                receiver=receiver.fingerprint,
                key=wrapped.hex(),
                signature="",
            ),
        )
        signature = self._identity.sign(_signed(unsigned)).hex()
        assert unsigned.sealed is not None
        return replace(unsigned, sealed=replace(unsigned.sealed, signature=signature))

    def check(self, manifest: Manifest) -> None:
        """Raise MessageRejected unless the manifest's sender, trusted, signed it for this party;
        KeyNotFound where the sender is not trusted."""
        sealed = self.check_sender(manifest)
        if sealed.receiver != self._own.fingerprint:
            raise MessageRejected(
                f"{manifest.what} is for identity "
                f"{sealed.receiver[:16]}…, and yours is {self._own.fingerprint[:16]}…; give "
                f"{manifest.sender} your new one"
            )

    def check_sender(self, manifest: Manifest) -> Sealed:
        """Raise MessageRejected unless the manifest's sender, trusted or oneself, signed it, for
        whomever; KeyNotFound where the sender is not trusted."""
        own = manifest.sender == self._own.name
        sender = self._own if own else self._keyring.trusted(manifest.sender)
        sealed = manifest.sealed
        what = manifest.what
        if sealed is None:
            raise MessageRejected(
                f"{what} is neither encrypted nor signed; {manifest.sender} runs unprotected"
            )
        if sealed.sender != sender.fingerprint:
            raise MessageRejected(
                f"{what} is of identity {sealed.sender[:16]}…, and you trust "
                f"{sender.fingerprint[:16]}…; if {manifest.sender} has a new identity, compare "
                "fingerprints and trust it anew"
            )
        if not sender.verify(bytes.fromhex(sealed.signature), _signed(manifest)):
            raise MessageRejected(f"{what} is not signed by {manifest.sender}; it was altered")
        return sealed

    def content_key(self, manifest: Manifest) -> bytes:
        """Return the key of a message whose manifest `check` has passed. Raises MessageRejected."""
        assert manifest.sealed is not None
        sender = self._keyring.trusted(manifest.sender)
        try:
            return sealing.unwrap_key(
                self._identity.receives,
                bytes.fromhex(manifest.sealed.key),
                _bound(manifest, sender, self._own),
            )
        except ValueError:
            raise MessageRejected(
                f"{manifest.what} does not decrypt: it was "
                "sealed for another session, channel or party"
            ) from None


def _canonical(manifest: Manifest) -> bytes:
    return json.dumps(manifest.fields(), sort_keys=True, separators=(",", ":")).encode()


def _signed(manifest: Manifest) -> bytes:
    assert manifest.sealed is not None
    unsigned = replace(manifest, sealed=replace(manifest.sealed, signature=""))
    return labelled("duckpriv/message/v3", _canonical(unsigned))


def _bound(manifest: Manifest, sender: PublicIdentity, receiver: PublicIdentity) -> bytes:
    """Return what the content key is bound to."""
    names = (
        *(manifest.session, manifest.sender, manifest.receiver, manifest.channel),
        *(manifest.protocol, manifest.parameters, sender.fingerprint, receiver.fingerprint),
    )
    return labelled("duckpriv/message-key/v3", *(name.encode() for name in names))
