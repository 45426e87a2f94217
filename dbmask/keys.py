"""Where keys come from, and what is derived from them.

One master key; from it, by HKDF-SHA-256 (RFC 5869), a column key for each domain and policy epoch and a key for
each other end (fingerprints, checksums, state encryption), each under a label of its own.

    PRF(value) = HMAC-SHA-256(column key, canonical bytes)

In SQL the same HMAC is two ``sha256`` calls over two precomputed 64-byte pads (RFC 2104), which is what
:attr:`ColumnKey.pads` holds. Neither keys nor pads are shown by ``repr``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from dbmask.errors import KeySourceError

__all__ = ["ColumnKey", "KeyRing", "MasterKey", "Pads", "new_key"]

_BLOCK = 64
_VERSION = b"dbmask/1"


class Pads(NamedTuple):
    """HMAC's inner and outer pad: the key, padded to SHA-256's 64-byte block, xored with 0x36 and 0x5c."""

    inner: bytes
    outer: bytes

    def __repr__(self) -> str:
        return "Pads(...)"


def hkdf(secret: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA-256 without salt (RFC 5869, sections 2.2 and 2.3)."""
    prk = hmac.digest(b"\0" * 32, secret, "sha256")
    out, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


class ColumnKey:
    """The key of one domain: a PRF from canonical bytes to 32 bytes.

    ``name`` identifies the key within a run (it is no secret); :meth:`sub` gives further independent keys.
    """

    __slots__ = ("_inner", "_known", "_outer", "_secret", "name")

    def __init__(self, name: str, secret: bytes, known: dict[str, ColumnKey] | None = None) -> None:
        self.name = name
        self._secret = secret
        self._known = {} if known is None else known
        self._known[name] = self
        pads = self.pads
        self._inner = hashlib.sha256(pads.inner)
        self._outer = hashlib.sha256(pads.outer)

    def __repr__(self) -> str:
        return f"ColumnKey({self.name!r})"

    @property
    def pads(self) -> Pads:
        """The two 64-byte pads from which a database computes the same HMAC."""
        key = self._secret.ljust(_BLOCK, b"\0")
        return Pads(bytes(b ^ 0x36 for b in key), bytes(b ^ 0x5C for b in key))

    def prf(self, data: bytes) -> bytes:
        """HMAC-SHA-256 of ``data``: 32 bytes."""
        inner = self._inner.copy()
        inner.update(data)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def word(self, data: bytes, index: int = 0) -> int:
        """Word ``index`` (0 to 3) of the PRF: 60 bits as an integer, which every database can hold."""
        return int(self.prf(data).hex()[15 * index : 15 * index + 15], 16)

    def short(self, data: bytes) -> bytes:
        """SHA-256 of the inner pad and ``data``: a cheaper PRF, sound only for inputs of one fixed length per key."""
        inner = self._inner.copy()
        inner.update(data)
        return inner.digest()

    def sub(self, label: str) -> ColumnKey:
        """An independent key for another use within the same mask, such as rounds or a second word stream."""
        name = f"{self.name}/{label}"
        found = self._known.get(name)
        return found or ColumnKey(name, hkdf(self._secret, _VERSION + b" sub\0" + label.encode()), self._known)

    def secret(self, length: int = 32) -> bytes:
        """Key material for another primitive (AES in FF1), derived under its own label."""
        return hkdf(self._secret, _VERSION + b" raw", length)


class MasterKey:
    """The secret that everything is derived from: 32 bytes or more, never shown."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise KeySourceError("a master key needs 32 bytes or more (make one with `dbmask key new`)")
        self._secret = secret

    def __repr__(self) -> str:
        return "MasterKey(...)"

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """Read ``hex:...`` or ``base64:...`` of 32 bytes or more, or a text of 16 characters or more (stretched by scrypt).

        Raises KeySourceError, which never repeats the text.
        """
        text = text.strip()
        scheme, _, body = text.partition(":")
        try:
            if scheme == "hex":
                return cls(bytes.fromhex(body))
            if scheme == "base64":
                return cls(base64.b64decode(body, validate=True))
        except (ValueError, binascii.Error):
            raise KeySourceError(f"the key after `{scheme}:` is not valid {scheme}") from None
        if not text:
            raise KeySourceError("the key is empty (make one with `dbmask key new`)")
        if len(text) < 16:
            raise KeySourceError("a key text needs 16 characters or more (make one with `dbmask key new`)")
        return cls(hashlib.scrypt(text.encode(), salt=_VERSION, n=2**14, r=8, p=1, dklen=32))

    @classmethod
    def load(cls, source: str, environ: Mapping[str, str] | None = None) -> MasterKey:
        """Read the key from ``env:NAME``, ``file:PATH`` or ``exec:COMMAND``; anything else is refused as a literal.

        Raises KeySourceError where the source is none of these, is missing or holds no usable key.
        """
        kind, _, rest = source.partition(":")
        if kind == "env" and rest:
            text = (os.environ if environ is None else environ).get(rest)
            if text is None:
                raise KeySourceError(f"the key's environment variable {rest} is not set")
            return cls.parse(text)
        if kind == "file" and rest:
            try:
                return cls.parse(Path(rest).expanduser().read_text("utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
                raise KeySourceError(f"the key file {rest} cannot be read: {reason}") from None
        if kind == "exec" and rest:
            return cls.parse(_output_of(rest))
        raise KeySourceError("the key must be env:NAME, file:PATH or exec:COMMAND, not the key itself")

    def derive(self, label: str, length: int = 32) -> bytes:
        """Key material for an end other than masking, under its own ``label``."""
        return hkdf(self._secret, _VERSION + b" purpose\0" + label.encode(), length)

    def column_secret(self, domain: str, epoch: str) -> bytes:
        """The 32-byte secret of one domain in one policy epoch."""
        parts = [domain.encode(), epoch.encode()]
        framed = b"".join(len(p).to_bytes(4, "big") + p for p in parts)
        return hkdf(self._secret, _VERSION + b" column\0" + framed)

    def fingerprint(self) -> str:
        """Sixteen hex digits that identify the key in certificates without revealing it."""
        return self.derive("fingerprint", 8).hex()


def _output_of(command: str) -> str:
    try:
        done = subprocess.run(shlex.split(command), capture_output=True, check=False, timeout=60)  # noqa: S603 - the policy's author names the command
    except (OSError, ValueError, subprocess.TimeoutExpired):
        raise KeySourceError("the key command could not be run or did not end within 60 s") from None
    if done.returncode != 0:
        raise KeySourceError(f"the key command ended with status {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


class KeyRing:
    """The column keys of one run: master key and policy epoch, derived on demand and kept."""

    def __init__(self, master: MasterKey | None, epoch: str = "") -> None:
        self._master = master
        self.epoch = epoch
        self._keys: dict[str, ColumnKey] = {}

    def __repr__(self) -> str:
        return f"KeyRing(epoch={self.epoch!r})"

    @property
    def master(self) -> MasterKey:
        """The master key. Raises KeySourceError where the run has none."""
        if self._master is None:
            raise KeySourceError(
                "this policy uses keyed masks, but no key was given: set DBMASK_KEY, use --key-file, or write "
                "`key: env:NAME` in the policy (make a key with `dbmask key new`)"
            )
        return self._master

    def column(self, domain: str) -> ColumnKey:
        """The key of ``domain``. Raises KeySourceError where the run has no master key."""
        name = domain.replace("/", "//")  # a single slash separates sub-keys
        found = self._keys.get(name)
        return found or ColumnKey(name, self.master.column_secret(domain, self.epoch), self._keys)

    def pads(self, names: Iterable[str]) -> dict[str, Pads]:
        """The pads of keys that masks have asked for, by key name: what a session needs to run them in SQL."""
        return {name: self._keys[name].pads for name in names}

    def fingerprint(self) -> str:
        """The master key's fingerprint; empty where the run has no key."""
        return self._master.fingerprint() if self._master else ""


def new_key() -> str:
    """A fresh master key, as text for a key file or an environment variable."""
    return "hex:" + secrets.token_hex(32)
