"""Sealing what the ledger keeps: boundaries are encrypted, checksums and tokens keyed, each under a label of its own."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any

from dbmask.errors import UsageError
from dbmask.keys import KeyRing, MasterKey

__all__ = ["Sealer", "sealer_for"]

_NONCE = 12


class Sealer:
    """The ledger's keys, derived from a master key. Its ``repr`` shows none."""

    def __init__(self, master: MasterKey) -> None:
        self._box = master.derive("ledger span encryption")
        self._sums = master.derive("ledger chunk checksum")
        self._names = master.derive("ledger chunk token")

    def __repr__(self) -> str:
        return "Sealer(...)"

    def seal(self, value: Any, about: str) -> bytes:
        """Encrypt a value that JSON can hold (AES-256-GCM); ``about`` is authenticated and must be said again to open it."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return nonce + AESGCM(self._box).encrypt(nonce, text.encode("utf-8", "surrogatepass"), about.encode())

    def open(self, data: bytes, about: str) -> Any:
        """The value that was sealed. Raises UsageError where key or ``about`` are not those it was sealed with."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            text = AESGCM(self._box).decrypt(data[:_NONCE], data[_NONCE:], about.encode())
        except (InvalidTag, ValueError):
            raise UsageError("the state database was written under another masking key, or was changed") from None
        return json.loads(text.decode("utf-8", "surrogatepass"))

    def checksum(self, data: bytes) -> bytes:
        """The keyed checksum (HMAC-SHA-256) of what identifies a chunk's raw rows."""
        return hmac.digest(self._sums, data, "sha256")

    def token(self, *parts: str) -> str:
        """A name of 32 hex digits for a chunk, which says nothing of its boundaries."""
        framed = b"".join(len(p).to_bytes(4, "big") + p for p in (x.encode("utf-8", "surrogatepass") for x in parts))
        return hmac.digest(self._names, framed, "sha256").hex()[:32]


def sealer_for(keys: KeyRing, folder: Path) -> Sealer:
    """The run's sealer: of its masking key, or of a secret in ``folder`` (made when first needed) where it has none. Raises UsageError."""
    if keys.fingerprint():
        return Sealer(keys.master)
    path = folder / "secret"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return Sealer(MasterKey(path.read_bytes()))
        secret = secrets.token_bytes(32)
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
    except OSError as error:
        raise UsageError(f"the state directory {folder} cannot be used: {error.strerror}") from None
    return Sealer(MasterKey(secret))
