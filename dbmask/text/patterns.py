"""Regular expressions in linear time, on RE2; and the two libraries of the extra ``text``, imported when they are needed.

RE2's ``\\b``, ``\\w`` and ``\\d`` are ASCII's. Texts are therefore searched with every letter and digit as an ASCII one
(:func:`dbmask.text.fold.plain`), which keeps their length; and as they are where a pattern names other characters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from dbmask.errors import BindError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PatternSet", "Searcher", "compile_pattern", "names_others", "require"]

_BACKTRACKS = re.compile(r"\(\?(?:[=!>]|<[=!]|P=)|invalid escape sequence: \\[1-9k]")
_NAMES_OTHERS = re.compile(r"\\[pPxXC]")
_MEMORY = 64 << 20


class _Match(Protocol):
    def span(self) -> tuple[int, int]: ...


class Searcher(Protocol):
    """A compiled pattern."""

    def search(self, text: str | bytes) -> _Match | None:
        """The first match."""
        ...

    def finditer(self, text: str | bytes) -> Iterator[_Match]:
        """Every match."""
        ...


def require(module: str) -> Any:
    """A module of the extra ``text``. Raises UsageError with the command that installs it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise UsageError(
            f"free text needs the package {module}, which is not installed; from the checkout: pip install '.[text]'"
        ) from None


def _options() -> Any:
    options = require("re2").Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def compile_pattern(pattern: str) -> Searcher:
    """A pattern on RE2. Raises BindError where it is wrong, or needs what does not run in linear time."""
    re2 = require("re2")
    try:
        compiled: Searcher = re2.compile(pattern, _options())
    except re2.error as error:
        reason = _reason(error)
        if _BACKTRACKS.search(reason) or "(?P=" in pattern:
            raise BindError(
                f"the pattern {pattern!r} needs look-around or back-references, which do not run in linear time",
                "in a regex matcher add `engine: re`, which runs it on Python's re with a time limit for each text",
            ) from None
        raise BindError(f"the pattern {pattern!r} is no regular expression of RE2: {reason}") from None
    return compiled


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def names_others(pattern: str) -> bool:
    """Whether a pattern names characters beyond ASCII: itself, by a class of Unicode's, or by their number."""
    return not pattern.isascii() or _NAMES_OTHERS.search(pattern) is not None


class PatternSet:
    """Many patterns, searched in one pass that says which of them match a text at all."""

    def __init__(self, patterns: list[str]) -> None:
        self._all = list(range(len(patterns)))
        self._set: Any = require("re2").Set.SearchSet(_options())
        # The empty pattern matches every text; where it is not reported, the pass itself has failed.
        for pattern in ["", *patterns]:
            self._set.Add(pattern)
        self._set.Compile()

    def matching(self, text: bytes) -> list[int]:
        """Indexes of the patterns that match ``text``; all of them where the pass could not be made."""
        found: list[int] = self._set.Match(text)
        if len(found) == 1 and found[0] == 0:
            return []
        return [i - 1 for i in found if i] if 0 in found else self._all
