"""What a client says before it may ask anything: encryption, settings, who it is."""

from __future__ import annotations

import asyncio
import hmac
import re
import shlex
import ssl
import struct
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dbmask.proxy.link import Link
from dbmask.proxy.rewrite_lists import FREE_SETTINGS
from dbmask.proxy.scram import ITERATIONS, ScramError, Server
from dbmask.proxy.wire import BEFORE_LOGIN, ProtocolError, frame, text

__all__ = ["Fatal", "Login", "authenticate", "read_settings", "start"]

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_VERSION = 3 << 16
_UTF8 = ("utf8", "unicode", "auto")
_STANDARD = ("standard_conforming_strings", "on")


class Fatal(Exception):
    """Ends the session with an error; ``state`` is the SQLSTATE."""

    def __init__(self, state: str, message: str) -> None:
        self.state = state
        super().__init__(message)


@dataclass
class Login:
    """Who asks for what: ``settings`` go to the source as they are, ``path`` is the search path."""

    user: str
    database: str
    path: list[str]
    settings: dict[str, str] = field(default_factory=dict)


async def start(link: Link, tls: ssl.SSLContext | None) -> dict[str, str] | bytes:
    """The startup packet's parameters, or the key of a CancelRequest. Raises ProtocolError, Fatal, Lost."""
    for _ in range(3):
        (length,) = struct.unpack("!i", await link.exactly(4))
        if not 8 <= length <= BEFORE_LOGIN:
            raise ProtocolError("invalid length of the startup packet")
        body = await link.exactly(length - 4)
        (code,) = struct.unpack("!i", body[:4])
        if code in (_SSL, _GSS):
            await asyncio.sleep(0)
            if link.unread:
                raise ProtocolError("data follows the request for encryption")
            wanted = code == _SSL and tls is not None
            link.write(b"S" if wanted else b"N")
            if wanted and tls is not None:
                await link.encrypt(tls)
        elif code == _CANCEL:
            return body[4:]
        elif code >> 16 == 3:
            return _agreed(link, code, _pairs(body[4:]))
        else:
            raise Fatal("0A000", "only protocol 3 is supported")
    raise ProtocolError("no startup packet")


def _agreed(link: Link, version: int, given: dict[str, str]) -> dict[str, str]:
    """The parameters without those of a later protocol; a client that asks for one is told that this is version 3.0."""
    later = [name for name in given if name.startswith("_pq_.")]
    if version != _VERSION or later:
        names = b"".join(text(name) for name in later)
        link.write(frame(b"v", struct.pack("!ii", _VERSION, len(later)) + names))
    return {name: value for name, value in given.items() if name not in later}


def _pairs(body: bytes) -> dict[str, str]:
    try:
        parts = body.decode().split("\0")
    except UnicodeDecodeError:
        raise ProtocolError("the startup packet is not UTF-8") from None
    return dict(zip(parts[:-2:2], parts[1:-2:2], strict=False))


def read_settings(given: dict[str, str], database: str, path: Sequence[str]) -> Login:
    """What the startup packet asks for; raises Fatal where that is not on the list. ``path`` is the database's own."""
    given = dict(given)
    user = given.pop("user", "")
    if given.pop("replication", "false") not in ("false", "off", "0", "no"):
        raise Fatal("0A000", "replication is not supported")
    if given.pop("database", user) != database:
        raise Fatal("3D000", "this database is not served here")
    given.update(_options(given.pop("options", "")))
    login = Login(user, database, list(path))
    for name, value in given.items():
        if name.lower() == "search_path":
            login.path = _names(value)
        elif name.lower() == "client_encoding":
            if value.lower().replace("-", "").strip("'\"") not in _UTF8:
                raise Fatal("0A000", "only the client encoding UTF8 is supported")
        elif name.lower() not in FREE_SETTINGS and (name.lower(), value.lower()) != _STANDARD:
            raise Fatal("42501", "this startup setting is not allowed")
        else:
            login.settings[name] = value
    # Types, casts of names and what is visible are the client's; relations and functions are written in full.
    schemas = [user if p == "$user" else p for p in login.path]
    login.settings["search_path"] = ", ".join('"' + p.replace('"', '""') + '"' for p in schemas)
    return login


def _names(value: str) -> list[str]:
    """The schemas of a search path as a setting has them."""
    parts = re.findall(r'\s*("(?:[^"]|"")*"|[^,]+)', value)
    return [p[1:-1].replace('""', '"') if p.startswith('"') else p.strip().lower() for p in parts] or [""]


def _options(words: str) -> dict[str, str]:
    """Settings in the form of a server's command line."""
    found = {}
    try:
        parts = shlex.split(words.replace("-c ", "-c"))
    except ValueError:
        raise Fatal("42501", "these startup options are not allowed") from None
    for part in parts:
        name, equals, value = part.removeprefix("-c").removeprefix("--").partition("=")
        if not equals or not part.startswith("-"):
            raise Fatal("42501", "these startup options are not allowed")
        found[name] = value
    return found


def _stand_in(secret: bytes, user: str) -> str:
    """A verifier for a name that does not exist: always the same, as a real one is, and as quick to get."""

    def made(label: str) -> bytes:
        return hmac.digest(secret, f"{label}:{user}".encode(), "sha256")

    salt, stored, server = (b64encode(raw).decode() for raw in (made("salt")[:16], made("stored"), made("server")))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"


async def authenticate(link: Link, user: str, users: Mapping[str, str], secret: bytes) -> None:
    """SCRAM-SHA-256; raises Fatal. A name that does not exist is not told from a wrong password."""
    known = users.get(user)
    exchange = Server(known or _stand_in(secret, user))
    link.write(frame(b"R", struct.pack("!i", 10) + text("SCRAM-SHA-256") + b"\0"))
    try:
        kind, body = await link.frame(BEFORE_LOGIN)
        name, _, first = body.partition(b"\0")
        if kind != b"p" or name != b"SCRAM-SHA-256":
            raise ScramError
        link.write(frame(b"R", struct.pack("!i", 11) + exchange.first(first[4:])))
        kind, body = await link.frame(BEFORE_LOGIN)
        final = exchange.final(body)
        if kind != b"p" or known is None:
            raise ScramError
    except ScramError:
        raise Fatal("28P01", "password authentication failed") from None
    link.write(frame(b"R", struct.pack("!i", 12) + final) + frame(b"R", struct.pack("!i", 0)))
