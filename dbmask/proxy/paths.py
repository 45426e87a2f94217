"""A session's search path, through transactions and savepoints, as the source has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Move", "Paths"]


@dataclass(frozen=True)
class Move:
    """What a statement does: ``kind`` is set, local, save, back or release; with a path, or a savepoint's name."""

    kind: str
    path: tuple[str, ...] = ()
    name: str = ""


class Paths:
    """The path ``now``. Statements are taken in as they are sent, and settled when the source says how they ended."""

    def __init__(self, path: list[str]) -> None:
        self.now = path
        self._kept = path  # once the transaction is committed
        self._before = path  # once it is rolled back
        self._saved: list[tuple[str, list[str], list[str]]] = []
        self._awaited = 0  # ReadyForQuery messages until all that was taken in has ended
        self._undone = False

    def take(self, moves: Iterable[Move], awaited: int = 0) -> None:
        """Take in what a statement does, which has ended once ``awaited`` ReadyForQuery messages have come."""
        for move in moves:
            self._awaited = awaited
            if move.kind in ("set", "local"):
                self.now = list(move.path)
                if move.kind == "set":
                    self._kept = self.now
            elif move.kind == "save":
                self._saved.append((move.name, self.now, self._kept))
            else:
                self._to(move)

    def _to(self, move: Move) -> None:
        for at in range(len(self._saved) - 1, -1, -1):
            name, now, kept = self._saved[at]
            if name == move.name:
                del self._saved[at + (1 if move.kind == "back" else 0) :]
                if move.kind == "back":
                    self.now, self._kept = now, kept
                return

    def failed(self) -> None:
        """The source has reported an error."""
        self._undone = True

    def completed(self, tag: bytes) -> None:
        """The source has completed a statement; a failed transaction's COMMIT says ROLLBACK."""
        if tag.startswith(b"COMMIT"):
            self._undone = False
        elif tag.startswith(b"ROLLBACK"):
            self._undone = True

    def ready(self, status: bytes) -> None:
        """ReadyForQuery has come; outside a transaction, what was done is kept or undone."""
        if self._awaited:
            self._awaited -= 1
        if status != b"I":
            return
        undone, self._undone = self._undone, False
        if not self._awaited:
            self.now = self._kept = self._before = self._before if undone else self._kept
            self._saved.clear()
