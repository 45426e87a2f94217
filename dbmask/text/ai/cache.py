"""Answers that were given before: by a keyed hash of the text, as offsets and labels. No text and no quote is kept."""

from __future__ import annotations

import hmac
import json
import sqlite3
import threading
from collections import OrderedDict
from pathlib import Path

from dbmask.errors import BindError

__all__ = ["Cache"]

_KEPT = 50_000

Answer = list[tuple[int, int, str]]


class Cache:
    """Answers of one model to one set of instructions; in memory, and in a SQLite file where one is named.

    ``secret`` keys the hashes. Raises BindError where the file cannot be used.
    """

    def __init__(self, secret: bytes, digest: str, path: str | None) -> None:
        self._secret = secret
        self._digest = digest
        self._kept: OrderedDict[bytes, Answer] = OrderedDict()
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None
        if path is not None:
            try:
                self._file = sqlite3.connect(Path(path).expanduser(), check_same_thread=False)
                self._file.execute("CREATE TABLE IF NOT EXISTS answer (key BLOB PRIMARY KEY, spans TEXT NOT NULL)")
                self._file.commit()
            except sqlite3.Error:
                raise BindError(
                    f"ai_detect: the cache {path} cannot be used", "name a file that can be written"
                ) from None

    def _key(self, text: str) -> bytes:
        data = self._digest.encode() + b"\0" + text.encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, data, "sha256")

    def get(self, text: str) -> Answer | None:
        """The answer for a text, or None."""
        key = self._key(text)
        with self._lock:
            found = self._kept.get(key)
            if found is None and self._file is not None:
                row = self._file.execute("SELECT spans FROM answer WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    found = [(int(a), int(b), str(label)) for a, b, label in json.loads(row[0])]
            return found

    def put(self, text: str, answer: Answer) -> None:
        """Keep an answer."""
        key = self._key(text)
        with self._lock:
            self._kept[key] = answer
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            if self._file is not None:
                self._file.execute("INSERT OR REPLACE INTO answer VALUES (?, ?)", (key, json.dumps(answer)))
                self._file.commit()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self.close()
