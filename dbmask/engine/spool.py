"""Batches kept aside on disk while a mask waits for the whole column: encrypted, in a file without a name."""

from __future__ import annotations

import os
import pickle
import struct
import tempfile
from collections.abc import Iterator
from typing import IO, Self

from dbmask.spi import Batch

__all__ = ["Spool"]

_LENGTH = struct.Struct(">Q")


class Spool:
    """Write batches, then read them back once or more. The key is random, and gone with the object."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="dbmask-")  # noqa: SIM115 - closed by __exit__
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, batch: Batch) -> None:
        """Append a batch of plain Python values."""
        nonce = self._nonce(self._count)
        data = self._cipher.encrypt(nonce, pickle.dumps(batch, pickle.HIGHEST_PROTOCOL), None)
        self._file.seek(0, os.SEEK_END)
        self._file.write(_LENGTH.pack(len(data)))
        self._file.write(data)
        self._count += 1

    def __iter__(self) -> Iterator[Batch]:
        self._file.seek(0)
        for number in range(self._count):
            (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
            data = self._cipher.decrypt(self._nonce(number), self._file.read(length), None)
            batch: Batch = pickle.loads(data)  # noqa: S301 - written by this object, and authenticated
            yield batch

    def _nonce(self, number: int) -> bytes:
        return number.to_bytes(12, "big")  # each number once under a key of this object's own
