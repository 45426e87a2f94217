"""SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, without channel binding.

>>> verifier("secret", salt=b"0123456789abcdef").startswith("SCRAM-SHA-256$4096:")
True
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["ITERATIONS", "Client", "ScramError", "Server", "verifier"]

ITERATIONS = 4096
"""Rounds of hashing in verifiers made here: what PostgreSQL takes by default."""


class ScramError(Exception):
    """The other side's message is none of SCRAM's, or its proof is wrong."""


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


@lru_cache(maxsize=4)
def _salted(password: str, salt: bytes, rounds: int) -> bytes:
    """Milliseconds of hashing, the same for every login of one role: kept, so that clients do not wait for it again."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def verifier(password: str, salt: bytes | None = None) -> str:
    """What a users file holds of a password, in PostgreSQL's form."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return f"SCRAM-SHA-256${ITERATIONS}:{_b64(salt)}${_b64(stored)}:{_b64(_hmac(salted, b'Server Key'))}"


def _fields(message: str) -> dict[str, str]:
    found = dict(part.split("=", 1) for part in message.split(",") if "=" in part)
    if "m" in found:
        raise ScramError
    return found


@dataclass
class Server:
    """One exchange; ``secret`` is the user's verifier, or a stand-in where there is no such user."""

    secret: str
    _bare: str = ""
    _first: str = ""
    _nonce: str = ""
    _header: str = ""

    def first(self, message: bytes) -> bytes:
        """Answer client-first; raises ScramError."""
        try:
            flag, authzid, bare = message.decode().split(",", 2)
            theirs = _fields(bare)["r"]
        except (UnicodeDecodeError, ValueError, KeyError):
            raise ScramError from None
        if flag not in ("n", "y") or authzid or not theirs:
            raise ScramError
        _kind, numbers, _keys = self.secret.split("$")
        iterations, salt = numbers.split(":")
        self._bare, self._header = bare, f"{flag},,"
        self._nonce = theirs + secrets.token_urlsafe(18)
        self._first = f"r={self._nonce},s={salt},i={iterations}"
        return self._first.encode()

    def final(self, message: bytes) -> bytes:
        """Check client-final and answer it; raises ScramError where the password is wrong."""
        try:
            without, proof = message.decode().rsplit(",p=", 1)
            given = _fields(without)
            header, raw = base64.b64decode(given["c"], validate=True), base64.b64decode(proof, validate=True)
            nonce = given["r"]
        except (UnicodeDecodeError, ValueError, KeyError):
            raise ScramError from None
        stored, server = (base64.b64decode(k) for k in self.secret.split("$")[2].split(":"))
        text = f"{self._bare},{self._first},{without}".encode()
        if len(raw) != 32 or nonce != self._nonce or header != self._header.encode():
            raise ScramError
        key = _xor(raw, _hmac(stored, text))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), stored):
            raise ScramError
        return f"v={_b64(_hmac(server, text))}".encode()


@dataclass
class Client:
    """One exchange with a server."""

    password: str
    _bare: str = ""
    _server: bytes = b""

    def first(self) -> bytes:
        """The client-first message."""
        self._bare = f"n=,r={secrets.token_urlsafe(18)}"
        return f"n,,{self._bare}".encode()

    def answer(self, message: bytes) -> bytes:
        """The client-final message for server-first; raises ScramError."""
        try:
            text = message.decode()
            found = _fields(text)
            nonce, salt, rounds = found["r"], base64.b64decode(found["s"]), int(found["i"])
        except (UnicodeDecodeError, ValueError, KeyError):
            raise ScramError from None
        if not nonce.startswith(self._bare[5:]) or not 1 <= rounds <= 1_000_000:
            raise ScramError
        salted = _salted(self.password, salt, rounds)
        key = _hmac(salted, b"Client Key")
        without = f"c=biws,r={nonce}"
        signed = f"{self._bare},{text},{without}".encode()
        proof = _xor(key, _hmac(hashlib.sha256(key).digest(), signed))
        self._server = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without},p={_b64(proof)}".encode()

    def check(self, message: bytes) -> None:
        """Raise ScramError where the server does not know the password either."""
        if not hmac.compare_digest(message, b"v=" + base64.b64encode(self._server)):
            raise ScramError
