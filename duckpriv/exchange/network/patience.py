"""How long a client goes on trying to reach a mailbox, and what it finds when it cannot."""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Callable

from ...errors import ExchangeTimeout, MessageRejected
from ...keys.certificate import MAILBOX_NAME
from .requests import PART

_FIRST_PAUSE, _LONGEST_PAUSE, _NAP = 0.05, 2.0, 0.1
_PROBE_SECONDS = 5.0
# So often in a row the mailbox shows a good certificate and no call gets through.
_REFUSALS = 3


class Patience:
    """Time for one operation with a mailbox; it begins anew with each PART that was moved."""

    def __init__(
        self, address: tuple[str, int], roots: bytes, seconds: float, stop: Callable[[], None]
    ) -> None:
        self._address, self._roots = address, roots
        self._seconds, self._stop = seconds, stop
        self._until = time.monotonic() + seconds
        self._furthest = self._counted = self._pauses = self._refusals = 0
        self._problem = "it does not answer"

    def left(self, most: float) -> float:
        """Return how many seconds a call may take now, `most` at most. Raises ExchangeTimeout."""
        self._stop()
        left = self._until - time.monotonic()
        if left <= 0:
            raise ExchangeTimeout(
                f"the mailbox at {self._address[0]}:{self._address[1]} could not be used for "
                f"{self._seconds:g} seconds: {self._problem}. Is the address right, does the peer "
                "serve its mailbox now, and does a firewall let you through?"
            )
        return min(left, most)

    def moved(self, position: int) -> None:
        """Note that a transfer has come to `position`."""
        self._refusals = 0
        if position > self._furthest:
            self._furthest, self._pauses = position, 0
        if position >= self._counted + PART:
            self._counted = position
            self._until = time.monotonic() + self._seconds

    def pause(self, problem: str) -> None:
        """Wait a little after a call has failed, longer each time. Raises ExchangeTimeout."""
        self._problem = problem
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._pauses)
        self._pauses += 1
        until = time.monotonic() + longest * random.uniform(0.5, 1)  # parties shall not march
        while (rest := until - time.monotonic()) > 0:
            time.sleep(min(rest, self.left(_NAP)))
        self.left(0)

    def look(self) -> None:
        """Find out why no connection comes about, and wait a little where that may pass.

        gRPC says 'unavailable' of a server that has not started and of one with a wrong
        certificate alike. Raises MessageRejected for a certificate, ExchangeTimeout.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # With 1.3 the handshake ends before the server asks who we are.
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=self._roots.decode())
        host, port = self._address
        try:
            with (
                socket.create_connection(self._address, self.left(_PROBE_SECONDS)) as plain,
                context.wrap_socket(plain, server_hostname=MAILBOX_NAME),
            ):
                pass
        except ssl.SSLCertVerificationError as error:
            raise MessageRejected(
                f"the mailbox at {host}:{port} does not show the certificate of an identity that "
                f"you trust ({error.verify_message}); is the address right, and do you trust the "
                "identity that its owner has now?"
            ) from None
        except ssl.SSLError as error:
            self._refusals = 0
            self.pause(f"what answers there does not speak TLS ({error.reason or 'it hangs up'})")
        except OSError as error:
            self._refusals = 0
            self.pause(f"no connection ({error.strerror or type(error).__name__})")
        else:
            self._refusals += 1
            if self._refusals >= _REFUSALS:
                raise MessageRejected(
                    f"the mailbox at {host}:{port} does not take your certificate; has its owner "
                    "trusted the identity that you have now, and are both clocks right?"
                )
            self.pause("the connection breaks off")
