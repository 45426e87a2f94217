"""A policy file as plain data in which every place has a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dbmask.errors import PolicyError, Problem

__all__ = ["MAX_DEPTH", "Document", "Path_"]

Path_ = tuple[str | int, ...]
"""A place in a document: the keys and list positions that lead to it."""

MAX_DEPTH = 100
"""How deep a policy may be nested: deep enough for every use, and far from the end of the stack."""


@dataclass
class Document:
    """A file's data, with the line of every key and item by its path.

    ``empty`` holds paths whose value is missing (``column:`` and nothing behind it). ``by_path`` says that the document
    was made from data, and its places are said as paths.
    """

    name: str
    data: Any = None
    by_path: bool = False
    lines: dict[Path_, int] = field(default_factory=dict)
    empty: set[Path_] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    _under: dict[Path_, list[Path_]] = field(default_factory=dict)

    @cached_property
    def folder(self) -> str:
        """The folder that names of files in this document are relative to; empty where it is no file."""
        return str(Path(self.name).parent) if self.name else ""

    def missing(self, path: Path_) -> list[Path_]:
        """The places at ``path`` and below it that are left empty."""
        if not self._under:
            for place in sorted(self.empty, key=str):
                for i in range(len(place) + 1):
                    self._under.setdefault(place[:i], []).append(place)
        return self._under.get(path, [])

    def mark(self, path: Path_, line: int) -> None:
        """Note the line (from 1) on which a key or an item stands; the first one that is noted stays."""
        self.lines.setdefault(path, line)

    def where(self, path: Path_ = ()) -> str:
        """file:line of a path, or of the nearest path above it that has a line."""
        if self.by_path:
            said = ".".join(map(str, path)) or "policy"
            return f"{self.name}: {said}" if self.name else said
        while path and path not in self.lines:
            path = path[:-1]
        return self._at(self.lines.get(path, 1))

    def _at(self, line: int) -> str:
        return f"{self.name}:{line}" if self.name else f"line {line}"

    def fail(self, path: Path_, what: str, hint: str = "") -> None:
        """Note a problem at a path; it is raised with all others when the whole policy has been read."""
        self.problems.append(Problem(self.where(path), what, hint))

    def fail_at(self, line: int, what: str, hint: str = "") -> None:
        """Note a problem at a line."""
        self.problems.append(Problem(self._at(line), what, hint))

    def note_at(self, line: int, what: str, hint: str = "") -> None:
        """Note, at a line, what is odd and no fault; it is shown as a warning."""
        self.notes.append(Problem(self._at(line), what, hint))

    def twice(self, name: str, first: int, again: int) -> None:
        """Note a key that is given twice in one mapping, by both lines; the first one stands."""
        self.fail_at(again, f"{name!r} is given twice", f"first at {self._at(first)}")

    def broken(self, line: int, what: str) -> PolicyError:
        """The error for a text that cannot be read any further from ``line`` on."""
        return PolicyError([Problem(self._at(line), what)])
