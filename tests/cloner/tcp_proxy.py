"""A TCP proxy that drops all of its connections, once: when so many bytes have passed after it was armed."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

__all__ = ["Proxy"]


class Proxy:
    """Listens on a port of its own; a thread for each direction of each connection, so that none waits for another."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._left: int | None = None
        self.dropped = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        self._drop()

    def arm(self, limit: int) -> None:
        """Drop everything so many bytes from now."""
        self._left = limit

    def _drop(self) -> None:
        with self._lock:
            ended, self._open = self._open, []
        for one in ended:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        while True:
            try:
                client = self._server.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            with self._lock:
                self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if self._left is not None and not self.dropped:
                    self._left -= len(data)
                    if self._left < 0:
                        self.dropped = True
                        self._drop()
                        return
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)
