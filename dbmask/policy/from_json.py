"""JSON into a Document: the standard library says whether it is JSON, a walk over its tokens finds the lines.

Not through the YAML reader, which stumbles over tabs, over emoji written as surrogate pairs and over a colon on a
line of its own.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from dbmask.policy.document import MAX_DEPTH, Document, Path_

__all__ = ["read_json"]

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s,:\[\]{}"]+|[,:\[\]{}])', re.DOTALL)


def read_json(text: str, document: Document) -> None:
    """Fill a document from JSON text. Raises PolicyError for a text that is no JSON; keys given twice are noted."""
    try:
        json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise document.broken(error.lineno, f"is not JSON: {error.msg}") from None
    except _ConstantError as error:
        raise document.broken(1, f"is not JSON: it has no {error}") from None
    except (RecursionError, ValueError):
        raise document.broken(1, "is nested too deep, or holds a number of too many digits") from None
    document.data = _Walk(text, document).value(())


class _ConstantError(Exception):
    """NaN or an infinity, which Python's reader would take."""


def _no_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


class _Walk:
    """A second reading of a text that is known to be JSON."""

    def __init__(self, text: str, document: Document) -> None:
        self.document = document
        self.text = text
        self.at = 0
        self.line = 1

    def _next(self) -> str:
        """The next token; ``line`` is where it stands."""
        match = next(_TOKEN.finditer(self.text, self.at))
        self.line += self.text.count("\n", self.at, match.start(1))
        self.at = match.end()
        return match[1]

    def value(self, path: Path_) -> Any:
        """The value whose first sign comes next."""
        return self._from(self._next(), path)

    def _from(self, sign: str, path: Path_) -> Any:
        if len(path) > MAX_DEPTH:
            raise self.document.broken(self.line, f"is nested more than {MAX_DEPTH} deep")
        if sign == "{":
            return self._mapping(path)
        if sign == "[":
            return self._list(path)
        return json.loads(sign)

    def _mapping(self, path: Path_) -> dict[str, Any]:
        made: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while (sign := self._next()) != "}":
            if sign == ",":
                continue
            name: str = json.loads(sign)
            if name in lines:
                self.document.twice(name, lines[name], self.line)
            lines.setdefault(name, self.line)
            self.document.mark((*path, name), self.line)
            self._next()  # the colon
            made.setdefault(name, self.value((*path, name)))
        return made

    def _list(self, path: Path_) -> list[Any]:
        made: list[Any] = []
        while (sign := self._next()) != "]":
            if sign != ",":
                place = (*path, len(made))
                self.document.mark(place, self.line)
                made.append(self._from(sign, place))
        return made
