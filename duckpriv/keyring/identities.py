"""Identities: one's own, and those of peers that are trusted."""

from __future__ import annotations

import secrets

from ..errors import KeyMismatch, KeyNotFound
from ..keys import Identity, PublicIdentity, read_fingerprint
from ..names import check_name
from .store import KeyStore

IDENTITY, TRUSTED = ".identity.private", ".identity.public"
_PREFIX = "identity-"  # of the key names of identities


class Identities(KeyStore):
    """Who a party is, and whom it trusts."""

    def create_identity(self, me: str) -> PublicIdentity:
        """Make the identity of this party, called `me`. Raises KeyMismatch where it has one."""
        check_name("your own name (me)", me)
        try:
            self.keep_new(_identity(me), IDENTITY, lambda: Identity.generate(me).encoded)
        except KeyMismatch:
            if not self.has(_identity(me), IDENTITY):
                raise
            raise KeyMismatch(
                f"'{me}' has an identity in the keyring {self.path} already; peers trust it. "
                f"'duckpriv keys remove {_identity(me)}' deletes it, and then all have to trust "
                "the new one"
            ) from None
        return self.identity(me).public

    def identity(self, me: str) -> Identity:
        """Return the identity of this party. Raises KeyNotFound."""
        name = _identity(check_name("your own name (me)", me))
        found = self.load(name, IDENTITY, lambda data: Identity.from_bytes(data, me))
        if found is None:
            raise KeyNotFound(
                f"'{me}' has no identity in the keyring {self.path}; make one with 'duckpriv "
                f"identity create {me}', and let the peers trust it. For a trial without "
                "encryption and signatures: --unprotected, or unprotected=True"
            )
        return found

    def trust(self, identity: PublicIdentity, fingerprint: str) -> None:
        """Trust a peer's identity whose fingerprint the peer has told in another way. Raises
        InvalidValue where that has not the form of one, KeyMismatch where it is another one, or
        the peer's name stands for another identity."""
        told = read_fingerprint(fingerprint, identity.name)
        if not secrets.compare_digest(told.encode(), identity.fingerprint.encode()):
            raise KeyMismatch(
                f"the identity of '{identity.name}' has fingerprint {identity.fingerprint}, not "
                "the one you gave; ask the peer for both again"
            )
        name, content = _identity(identity.name), identity.text.encode()
        if self.read(name, TRUSTED) not in (None, content):
            raise KeyMismatch(
                f"you trust another identity of '{identity.name}'; if the peer says that it has "
                f"made a new one: 'duckpriv keys remove {name}', and trust this one then"
            )
        self.keep_public(name, TRUSTED, content)

    def trusted(self, peer: str) -> PublicIdentity:
        """Return the trusted identity of a peer. Raises KeyNotFound."""
        name = _identity(check_name("the peer", peer))
        found = self.load(name, TRUSTED, PublicIdentity.from_text)
        if found is None:
            raise KeyNotFound(
                f"you trust no identity of '{peer}' in the keyring {self.path}; get the line that "
                f"'duckpriv identity show' prints at {peer}, compare the fingerprint with {peer} "
                "by telephone or in person, and give it to 'duckpriv identity trust'"
            )
        return found

    def all_trusted(self) -> list[PublicIdentity]:
        """Return every trusted identity, by name."""
        files = sorted(file.name for file in self.path.glob(_identity("*") + TRUSTED))
        return [self.trusted(name[len(_PREFIX) : -len(TRUSTED)]) for name in files]

    def whose_identity(self, key: str) -> str:
        """Return the party whose identity has this key name."""
        return key.removeprefix(_PREFIX)


def _identity(party: str) -> str:
    return f"{_PREFIX}{party}"
