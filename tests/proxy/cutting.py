"""A TCP relay that forwards a number of bytes, in pieces, and then cuts."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

__all__ = ["Relay", "relay"]


@dataclass
class Relay:
    """What the relay does with the next connection.

    ``up`` and ``down`` are how many bytes it forwards to the server and to the client before it cuts; ``piece`` how many at
    a time, with ``pause`` seconds between them; ``reset`` whether it cuts by RST. ``passed`` counts what went either way.
    """

    port: int
    server: int
    up: int = 1 << 30
    down: int = 1 << 30
    piece: int = 65536
    pause: float = 0.0
    reset: bool = False
    passed: tuple[int, int] = (0, 0)

    def serve(self, client: socket.socket) -> None:
        """Relay one connection to its end."""
        with client, socket.create_connection(("127.0.0.1", self.server)) as server:
            left = {client: self.up, server: self.down}
            other = {client: server, server: client}
            while True:
                for side in select.select([client, server], [], [], 20)[0]:
                    data = side.recv(min(self.piece, left[side])) if left[side] else b""
                    left[side] -= len(data)
                    self.passed = (self.up - left[client], self.down - left[server])
                    if not data:
                        self._cut(client, server)
                        return
                    other[side].sendall(data)
                    time.sleep(self.pause)

    def _cut(self, *sides: socket.socket) -> None:
        for side in sides:
            if self.reset:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                with suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(server: int) -> Iterator[Relay]:
    """A relay before the server at a port; it takes one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Relay(listener.getsockname()[1], server)

        def run() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with suppress(OSError):  # cut while it forwards
                    made.serve(client)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)
