"""The proxy's users file: a name, a tab and a SCRAM verifier a line; readable by its owner alone."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from dbmask.atomic import write_named
from dbmask.errors import UsageError
from dbmask.proxy.scram import verifier

__all__ = ["add_user", "mock_secret", "read_users", "remove_user"]


_GIVEN = Path("/run/secrets")
"""Where container runtimes lay files for one container alone, readable for whatever user it runs as."""
_MARK = "#secret="
"""How the first line begins: it has no tab, so no user's line begins like it."""


def mock_secret(path: str | Path) -> bytes:
    """What the salts of names that do not exist are made from: the same as long as the file lives.

    A file of before there was such a line has one derived from its first user's verifier. Raises UsageError.
    """
    users = read_users(path)
    with Path(path).open(encoding="utf-8") as file:
        first = file.readline().rstrip("\n")
    if first.startswith(_MARK):
        return bytes.fromhex(first.removeprefix(_MARK))
    return hashlib.sha256(min(users.items(), default=("", ""))[1].encode()).digest()


def read_users(path: str | Path) -> dict[str, str]:
    """User -> verifier. Raises UsageError where the file cannot be read, or others may read it."""
    place = Path(path)
    try:
        if place.stat().st_mode & (0o022 if _GIVEN in place.absolute().parents else 0o077):
            raise UsageError(f"{place} can be read or written by others: chmod 600 it")
        lines = place.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"the users file {place} cannot be read") from None
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.startswith(_MARK) and number == 1:
            continue
        name, tab, secret = line.partition("\t")
        if not name or not tab or not secret.startswith("SCRAM-SHA-256$") or name in users:
            raise UsageError(f"{place}:{number}: not a user's line; use `dbmask user`")
        users[name] = secret
    return users


def add_user(path: str | Path, name: str, password: str) -> None:
    """Add a user or give one another password. Raises UsageError."""
    if not name or not password or any(ord(c) < 32 for c in name) or len(name.encode()) > 63:
        raise UsageError("a user has a name of 1 to 63 bytes without control characters, and a password")
    users = read_users(path) if Path(path).exists() else {}
    _write(Path(path), {**users, name: verifier(password)})


def remove_user(path: str | Path, name: str) -> None:
    """Remove a user. Raises UsageError where there is none of that name."""
    users = read_users(path)
    if users.pop(name, None) is None:
        raise UsageError(f"no user {name} in {path}")
    _write(Path(path), users)


def _write(path: Path, users: dict[str, str]) -> None:
    secret = secrets.token_hex(32)
    if path.exists():
        with path.open(encoding="utf-8") as old:
            first = old.readline().rstrip("\n")
        secret = first.removeprefix(_MARK) if first.startswith(_MARK) else mock_secret(path).hex()
    write_named(path, f"{_MARK}{secret}\n" + "".join(f"{u}\t{s}\n" for u, s in sorted(users.items())), 0o600)
