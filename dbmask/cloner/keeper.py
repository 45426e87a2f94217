"""The keeper: a process of its own that holds the source's snapshot, so that a clone that died can go on with it.

It ends when it is told to, or some minutes after the last process that used it is gone; at once where the process that started it
is gone before it noted where the keeper is, since then nobody could find it. The URL reaches it through its standard input, never
through its command line.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from dbmask.errors import ConnectorError, DbmaskError
from dbmask.spi import Shared, SharedSource

__all__ = ["GRACE", "Keeper", "main"]

GRACE = 600.0
"""Seconds for which a snapshot outlives the last process that used it."""

_START_SECONDS = 60.0
_END = b"end\n"
_TAKE = b"take\n"
_KEEP = b"keep\n"
_GIVE_UP = b"giveup\n"


class Keeper:
    """A client's hold on a keeper process. While it is open the keeper stays."""

    def __init__(self, address: str, process: subprocess.Popen[bytes] | None = None) -> None:
        self.address = address
        self._process = process
        self._line: socket.socket | None = None
        self._shared: Shared | None = None

    @classmethod
    def start(cls, url: str, grace: float = GRACE) -> Keeper:
        """Start a keeper; it connects while the caller goes on, and takes its snapshot when :meth:`shared` asks for it."""
        address = Path(tempfile.mkdtemp(prefix="dbmask-keeper-")) / "socket"  # short, as a socket's name must be
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        process = subprocess.Popen(
            [sys.executable, "-m", "dbmask.cloner.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # a Ctrl-C of the terminal is the client's
        )
        told = json.dumps({"url": url, "address": str(address), "grace": grace})
        _tell(process, told.encode() + b"\n")
        return cls(str(address), process)

    @classmethod
    def reach(cls, address: str) -> Keeper | None:
        """Hold a keeper that another process has started; None where it is gone."""
        found = cls(address)
        return found if address and found._connect() else None

    @classmethod
    def give_up(cls, address: str) -> None:
        """Nobody will ask for this keeper's snapshot any more: it ends when those who use it now have ended."""
        found = cls.reach(address)
        if found is not None and found._line is not None:
            with contextlib.suppress(OSError):
                found._line.sendall(_GIVE_UP)
            found.close()

    def _connect(self) -> bool:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(self.address)
        except OSError:
            line.close()
            return False
        self._line = line
        return True

    def shared(self) -> Shared:
        """The snapshot. Waits until it stands. Raises ConnectorError where it cannot be taken."""
        process = self._process
        if self._shared is None and process is not None and process.stdout is not None:
            _tell(process, _TAKE)
            ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
            answer = json.loads(process.stdout.readline() or b"{}") if ready else {}
            if "token" not in answer or not self._connect():
                self.close()
                raise ConnectorError(answer.get("error") or "the process that holds the snapshot did not start")
            self._shared = Shared(answer["token"], answer["position"])
        if self._shared is None:
            raise ConnectorError("this keeper was started by another process, which noted its snapshot")
        return self._shared

    def keep(self) -> None:
        """Outlive this process: where the keeper is has been noted."""
        if self._process is not None:
            _tell(self._process, _KEEP)

    def end(self) -> None:
        """Give the snapshot up."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.sendall(_END)
                self._line.settimeout(5.0)
                self._line.recv(1)  # end of file: it has closed its session
        elif self._process is not None:
            self._process.kill()
        self.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)

    def close(self) -> None:
        """Let go: the keeper waits its grace for another client."""
        if self._line is not None:
            self._line.close()
            self._line = None
        process = self._process
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            if process.poll() is None:
                process.returncode = 0  # it outlives this process on purpose


def _tell(process: subprocess.Popen[bytes], what: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    with contextlib.suppress(BrokenPipeError):  # its answer tells why
        process.stdin.write(what)
        process.stdin.flush()


def main() -> int:
    """Hold one snapshot, as standard input says."""
    told = json.loads(sys.stdin.readline())
    address = Path(told["address"])
    from dbmask.registry import connector_for

    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(address))
            server.listen()
            with closing(connector_for(told["url"]).source(told["url"])) as source:
                if not isinstance(source, SharedSource):
                    return _answer({"error": "this source cannot share a snapshot"})
                if sys.stdin.readline().encode() != _TAKE:
                    return 0  # nobody wants it
                with source.export() as shared:
                    source.close()
                    _answer({"token": shared.token, "position": shared.position})
                    clients = _wait(server, float(told["grace"]))
        for client in clients:
            client.close()
    except DbmaskError as error:
        return _answer({"error": str(error)})
    finally:
        shutil.rmtree(address.parent, ignore_errors=True)
    return 0


def _answer(what: dict[str, str]) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), flush=True)
    return 1 if "error" in what else 0


def _wait(server: socket.socket, grace: float) -> list[socket.socket]:
    """Until a client says so, or nobody has been there for ``grace`` seconds; the clients that are left.

    Standard input is open while the process lives that started this one.
    """
    clients: list[socket.socket] = []
    starter, noted, alone = [sys.stdin.fileno()], False, 0.0
    while starter or clients or (noted and time.monotonic() - alone < grace):
        rest = None if starter or clients else max(0.0, grace - (time.monotonic() - alone))
        for ready in select.select([server, *starter, *clients], [], [], rest)[0]:
            if ready is server:
                clients.append(server.accept()[0])
                continue
            said = _received(ready)
            if said == _END:
                return clients
            noted = said == _KEEP or (noted and said != _GIVE_UP)
            if not said:
                alone = time.monotonic()
                if isinstance(ready, int):
                    starter.clear()
                    continue
                clients.remove(ready)
                ready.close()
    return clients


def _received(line: socket.socket | int) -> bytes:
    try:
        return os.read(line, 16) if isinstance(line, int) else line.recv(16)
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main())
