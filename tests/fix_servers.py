"""Private database servers for the tests: one of each kind per run, shared by the workers of pytest-xdist.

A small supervisor process (this file, run as a script) owns each server. Every user of the server holds the write
end of a FIFO; when the last one is gone, however it ended, the supervisor reads end-of-file, kills the server and
removes its directory. A run that is interrupted or killed therefore leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

__all__ = ["acquire", "alone", "demoted", "find_program", "free_port"]

START_SECONDS = 60


def find_program(name: str, *patterns: str) -> str:
    """The path of a server's program: on PATH, in /usr/sbin, or by glob patterns (newest first). Fails the test where there is none."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    for pattern in patterns:
        hits = sorted(Path("/").glob(pattern.lstrip("/")), key=lambda p: [int(n) for n in p.parts if n.isdigit()])
        found = found or (str(hits[-1]) if hits else None)
    if found is None:
        pytest.fail(f"{name} is not installed; run scripts/servers.sh")
    return found


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def demoted(*users: str) -> dict[str, Any]:
    """Popen's arguments to run as the first of ``users`` that exists, where the tests run as root; servers refuse root."""
    if os.getuid() != 0:
        return {}
    for name in (*users, "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.fail(f"none of the users {', '.join(users)} exists to run a server as")


@contextmanager
def acquire(name: str, prepare: Callable[[Path], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The facts of the server called ``name``, started here where no worker of this run has started it.

    ``prepare(directory)`` makes a data directory and returns facts: ``argv`` is the server's command line, ``as``
    Popen's arguments for its user, ``ready`` a command line that succeeds once it answers, ``stop`` the signal that
    ends it at once, and whatever else its users need.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"pid{os.getpid()}")
    short = hashlib.sha256(run.encode()).hexdigest()[:12]
    base = f"dbm-{name}-{os.getuid()}"
    root = Path(tempfile.gettempdir()) / f"{base}-{short}"
    with _locked(root):
        running = (root / "state.json").exists()
        hold = os.open(root / "alive", os.O_WRONLY | os.O_NONBLOCK) if running else _launch(root, prepare)
        facts: dict[str, Any] = json.loads((root / "state.json").read_text("utf-8"))
    try:
        yield facts
    finally:
        os.close(hold)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the lock of this kind of server; its file is shared by all runs and stays."""
    with root.with_name(root.name.rpartition("-")[0] + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def alone(directory: Path, what: str) -> Iterator[None]:
    """Hold what a server has only once, such as its roles, against the run's other workers."""
    with (directory / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _launch(root: Path, prepare: Callable[[Path], dict[str, Any]]) -> int:
    """Start a server under a supervisor; returns the descriptor that keeps it alive."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(mode=0o755)
    facts = prepare(root)
    (root / "starting.json").write_text(json.dumps(facts), "utf-8")
    os.mkfifo(root / "alive", 0o600)
    reader = os.open(root / "alive", os.O_RDONLY | os.O_NONBLOCK)
    hold = os.open(root / "alive", os.O_WRONLY)
    with (root / "server.log").open("ab") as log:
        argv = [sys.executable, "-I", __file__, str(root), str(reader)]
        supervisor = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=[reader]
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(facts["ready"], capture_output=True, check=False).returncode != 0:
            if supervisor.poll() is not None or time.monotonic() > deadline:
                log_text = (root / "server.log").read_text("utf-8", "replace")[-2000:]
                pytest.fail(f"a server did not start: {facts['argv'][0]}\n{log_text}")
            time.sleep(0.05)
    except BaseException:
        os.close(hold)
        raise
    finally:
        os.close(reader)
        supervisor.returncode = 0  # it outlives this process on purpose; Popen need not warn
    (root / "starting.json").rename(root / "state.json")
    return hold


def _supervise(root: Path, alive: int) -> None:
    """Run the server until nobody holds the FIFO, or until it ends by itself; then remove everything."""
    facts = json.loads((root / "starting.json").read_text("utf-8"))
    server = subprocess.Popen(facts["argv"], stdin=subprocess.DEVNULL, **facts["as"])
    poll = select.poll()
    poll.register(alive, 0)  # a hang-up is always reported
    while server.poll() is None:
        if not poll.poll(500):
            continue
        with _locked(root):
            if poll.poll(0):  # still nobody: no worker came while the lock was awaited
                (root / "state.json").unlink(missing_ok=True)
                break
    if server.poll() is None:
        server.send_signal(facts["stop"])
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    with _locked(root):
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    _supervise(Path(sys.argv[1]), int(sys.argv[2]))
