"""TOML into a Document: the standard library reads it, a walk over its keys finds the lines."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from typing import Any

from dbmask.policy.document import MAX_DEPTH, Document, Path_

__all__ = ["read_toml"]

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)
    |(?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*')
    |(?P<sign>[\n\[\]{}=,])
    |(?P<bare>[^\s\[\]{}=,\#"']+)""",
    re.DOTALL | re.VERBOSE,
)


def read_toml(text: str, document: Document) -> None:
    """Fill a document from TOML text; dates become ISO texts, as in the other formats. Raises PolicyError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        what = re.sub(r" \(at .*\)", "", str(error))
        at = int(line[1]) if line else text.count("\n") + 1
        raise document.broken(at, f"is not TOML: {what[0].lower()}{what[1:]}") from None
    except (RecursionError, ValueError):
        raise document.broken(1, "is nested too deep, or holds a number of too many digits") from None
    document.data = _plain(data, 0, document)
    _Walk(text, document).run()


def _plain(data: Any, depth: int, document: Document) -> Any:
    if depth > MAX_DEPTH:
        raise document.broken(1, f"is nested more than {MAX_DEPTH} deep")
    if isinstance(data, dict):
        return {k: _plain(v, depth + 1, document) for k, v in data.items()}
    if isinstance(data, list):
        return [_plain(v, depth + 1, document) for v in data]
    return data.isoformat() if isinstance(data, dt.date | dt.time) else data


class _Walk:
    """A second reading of a text that is known to be TOML, for the lines of its keys and items."""

    def __init__(self, text: str, document: Document) -> None:
        self.document = document
        self.tokens: list[tuple[str, str, int]] = []
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup != "space":
                self.tokens.append((str(match.lastgroup), match[0], line))
            line += match[0].count("\n")
        self.tokens.append(("sign", "\n", line))
        self.at = 0
        self.counts: dict[Path_, int] = {}

    def run(self) -> None:
        """Go through all statements: headers, and keys with values."""
        table: Path_ = ()
        while self.at < len(self.tokens):
            _, text, line = self.tokens[self.at]
            if text == "\n":
                self.at += 1
            elif text == "[":
                table = self._header(line)
            else:
                self._pair(table)

    def _header(self, line: int) -> Path_:
        many = self.tokens[self.at + 1][1] == "["
        self.at += 2 if many else 1
        path: Path_ = ()
        names = self._key("]")
        for i, name in enumerate(names, 1):
            path = (*path, name)
            self.document.mark(path, line)
            if path in self.counts and i < len(names):
                path = (*path, self.counts[path] - 1)
        if many:
            self.counts[path] = self.counts.get(path, 0) + 1
            path = (*path, self.counts[path] - 1)
            self.document.mark(path, line)
            self.at += 1
        self.at += 1
        return path

    def _sign(self) -> str:
        return self.tokens[self.at][1]

    def _key(self, end: str) -> list[str]:
        """The parts of a dotted key, up to the sign that ends it."""
        names: list[str] = []
        source = ""
        while self._sign() != end:
            source += self.tokens[self.at][1]
            self.at += 1
        data: Any = tomllib.loads(f"{source} = 0")
        while isinstance(data, dict):
            name, data = next(iter(data.items()))
            names.append(name)
        return names

    def _pair(self, table: Path_) -> None:
        line = self.tokens[self.at][2]
        path = table
        for name in self._key("="):
            path = (*path, name)
            self.document.mark(path, line)
        self.at += 1
        self._value(path)

    def _value(self, path: Path_) -> None:
        kind, text, _ = self.tokens[self.at]
        self.at += 1
        if text == "[" and kind == "sign":
            count = 0
            while self._sign() != "]":
                if self._sign() in ("\n", ","):
                    self.at += 1
                    continue
                self.document.mark((*path, count), self.tokens[self.at][2])
                self._value((*path, count))
                count += 1
            self.at += 1
        elif text == "{" and kind == "sign":
            while self._sign() != "}":
                if self._sign() in ("\n", ","):
                    self.at += 1
                else:
                    self._pair(path)
            self.at += 1
        else:
            while self.tokens[self.at][0] == "bare":  # a date and its time may stand apart
                self.at += 1
