"""The door of a mailbox's server: connections from outside, passed on to gRPC on this machine.

gRPC in pyarrow cannot end a call that hangs, so one client that stops would keep it from shutting
down for ever; it takes any number of connections, and messages of any size. The gate passes bytes
on as they are, TLS and all, and cuts a connection

- that does not become a trusted peer's, as the server sees it, within some seconds,
- over which nothing went for a while,
- that brings more bytes than any honest client has under way before the server has seen a request
  or a chunk: a single huge message,
- of a peer that opens too many: the one that was silent for longest.

Closing the gate cuts all, and so ends every call.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

_BUFFER = 1 << 18
_SWEEP_SECONDS = 0.25
_CONNECT_SECONDS = 5.0


class Connection:
    """One client's connection and its counterpart to the server."""

    def __init__(self, outside: socket.socket, inside: socket.socket, most_unseen: int) -> None:
        self._outside, self._inside, self._most_unseen = outside, inside, most_unseen
        self._unseen = 0
        self.began = self.moved = time.monotonic()
        self.peer: str | None = None
        self._lock = threading.Lock()
        self._passing = 2  # threads

    @property
    def ended(self) -> bool:
        """Whether nothing can go over it any more."""
        return self._passing == 0

    def start(self) -> None:
        """Pass bytes on, in both directions."""
        for source, target, counted in (
            (self._outside, self._inside, True),
            (self._inside, self._outside, False),
        ):
            arguments = (source, target, counted)
            threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def seen(self, peer: str) -> None:
        """Note that the server has a request or a chunk of `peer` from this connection."""
        self.peer, self._unseen = peer, 0

    def cut(self) -> None:
        """End it, in both directions."""
        for end in (self._outside, self._inside):
            with suppress(OSError):  # it may have ended itself
                end.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        buffer = memoryview(bytearray(_BUFFER))
        try:
            while length := source.recv_into(buffer):
                if counted:
                    self._unseen += length
                    if self._unseen > self._most_unseen:
                        break
                target.sendall(buffer[:length])
                self.moved = time.monotonic()
        except OSError:
            pass
        finally:
            self.cut()
            with self._lock:
                self._passing -= 1
                last = self._passing == 0
            if last:  # before that, a new connection could get the number of an open file in use
                self._outside.close()
                self._inside.close()


class Gate:
    """Listens at (host, port) for what listens at `inside` on this machine."""

    def __init__(
        self,
        host: str,
        port: int,
        inside: tuple[str, int],
        *,
        strangers: int = 64,
        connections: int = 8,
        greeting: float = 15.0,
        idle: float = 120.0,
        most_unseen: int = 64 << 20,
    ) -> None:
        """Raises OSError where it cannot listen there.

        At most `strangers` connections that are nobody's yet, for `greeting` seconds each, and
        `connections` of a peer are kept; none that was silent for `idle` seconds.
        """
        self._inside, self._most_unseen = inside, most_unseen
        self._strangers, self._connections = strangers, connections
        self._greeting, self._idle = greeting, idle
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self._listening = socket.socket(family, kind)
        try:
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listening.bind(address)
            self._listening.listen()
            self._listening.settimeout(_SWEEP_SECONDS)
        except OSError:
            self._listening.close()
            raise
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._open: dict[int, Connection] = {}  # by the port that the server sees
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def seen(self, inner_port: int, peer: str) -> bool:
        """Note a request or a chunk of `peer`; return whether it came through here."""
        with self._lock:
            connection = self._open.get(inner_port)
            if connection is None:
                return False
            if connection.peer != peer:
                own = [port for port, other in self._open.items() if other.peer == peer]
                if len(own) >= self._connections:
                    self._open.pop(min(own, key=lambda port: self._open[port].moved)).cut()
            connection.seen(peer)
            return True

    def close(self) -> None:
        """Listen no more, and cut all connections."""
        self._closed.set()
        with suppress(OSError):  # wakes who waits for a connection, where the system can
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()
        with self._lock:
            for connection in self._open.values():
                connection.cut()

    def _run(self) -> None:
        swept = time.monotonic()
        while not self._closed.is_set():
            try:
                self._admit(self._listening.accept()[0])
            except TimeoutError:
                pass
            except OSError:  # one who left at once, or too many open files
                time.sleep(_SWEEP_SECONDS / 10)
            if time.monotonic() - swept >= _SWEEP_SECONDS:
                self._sweep()
                swept = time.monotonic()

    def _admit(self, outside: socket.socket) -> None:
        with self._lock:
            full = sum(c.peer is None for c in self._open.values()) >= self._strangers
        if full:
            outside.close()
            return
        try:
            outside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            inside = socket.create_connection(self._inside, _CONNECT_SECONDS)
        except OSError:
            outside.close()
            raise
        inside.settimeout(None)
        inside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(outside, inside, self._most_unseen)
        with self._lock:
            self._open[inside.getsockname()[1]] = connection
        connection.start()

    def _sweep(self) -> None:
        now = time.monotonic()
        with self._lock:
            for port, connection in list(self._open.items()):
                late = connection.peer is None and now - connection.began > self._greeting
                if connection.ended or late or now - connection.moved > self._idle:
                    connection.cut()
                    del self._open[port]
