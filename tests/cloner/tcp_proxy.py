"""A TCP proxy that drops all of its connections, once: when so many bytes have passed after it was armed.

A process of its own: libpq waits for some answers without letting other threads of its process run.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import suppress

__all__ = ["Proxy"]


class Proxy:
    """The process: ``port`` is where it listens."""

    def __init__(self, port: int) -> None:
        argv = [sys.executable, __file__, str(port)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def arm(self, limit: int) -> None:
        """Drop everything so many bytes from now."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{limit}\n")
            self._process.stdin.flush()


class _Server:
    """Listens on a port of its own; a thread for each direction of each connection, so that none waits for another."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._left: int | None = None
        self.dropped = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

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


def _main() -> None:
    server = _Server(int(sys.argv[1]))
    print(server.port, flush=True)
    for line in sys.stdin:
        server.arm(int(line))


if __name__ == "__main__":
    _main()
