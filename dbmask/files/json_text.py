"""JSON and JSON Lines, record by record: number texts, key order and missing keys stay, memory does not grow.

An array's records are read one after the other; an object is one record.
"""

from __future__ import annotations

import codecs
import datetime as dt
import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, BinaryIO

from dbmask.errors import MaskError, UsageError
from dbmask.files.numbers import NumberText
from dbmask.files.problems import InputError
from dbmask.spi import Batch

__all__ = ["JsonSink", "JsonText", "document", "dumps"]

_SPACE = re.compile(r"[ \t\n\r]*")
_CHUNK = 1 << 16


class _Twice(ValueError):
    pass


def _integer(text: str) -> Any:
    # -0 is an integer to JSON's grammar and would come back as 0; very long ones are no numbers that Python likes.
    return NumberText(text) if text == "-0" or len(text) > 4000 else int(text)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Twice
    return made


_DECODER = json.JSONDecoder(
    parse_float=NumberText, parse_int=_integer, parse_constant=_no_constant, object_pairs_hook=_object
)


def document(made: Any) -> Any:
    """What a mask made of the JSON of an object or an array, numbers as they were written; what is no JSON stays as it is."""
    try:
        return _DECODER.decode(made) if type(made) is str else made
    except ValueError:
        return made


def dumps(value: Any) -> str:
    """JSON of a value, numbers as they were written; what JSON does not know (dates, decimals, bytes) by its usual text."""
    if value is None:
        return "null"
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return int.__repr__(value)
    if kind is NumberText:
        text: str = value.text
        return text
    if kind is dict:
        return "{" + ", ".join([f"{encode_basestring(str(k))}: {dumps(v)}" for k, v in value.items()]) + "}"
    if kind is list or kind is tuple:
        return "[" + ", ".join([dumps(v) for v in value]) + "]"
    return _other(value)


def _other(value: Any) -> str:
    if isinstance(value, float):
        return repr(float(value)) if value == value and abs(value) != float("inf") else "null"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value) if "E" not in str(value) else format(value, "f")
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return encode_basestring(value.isoformat())
    if isinstance(value, bytes | bytearray | memoryview):
        return encode_basestring(bytes(value).hex())
    if isinstance(value, int | str):  # subclasses
        return dumps(int(value) if isinstance(value, int) else str(value))
    return encode_basestring(str(value))


class JsonText:
    """Records of a JSON text (an array of objects, or one object) or of JSON Lines; ``lines`` are those of the last batch.

    ``single`` says that the text was one object. Raises InputError where a line is no JSON or no object.
    """

    def __init__(self, name: str, stream: BinaryIO, by_lines: bool, encoding: str = "utf-8") -> None:
        self.name = name
        self.single = False
        self.lines: list[int] = []
        self._stream = stream
        self._by_lines = by_lines
        try:
            utf8 = codecs.lookup(encoding).name == "utf-8"
        except LookupError:
            raise UsageError(f"there is no encoding {encoding!r}") from None
        self._encoding = "utf-8-sig" if utf8 else encoding

    def batches(self, rows: int, limit: int | None = None) -> Iterator[list[Any]]:
        """Lists of records, at most ``rows`` each."""
        batch: list[Any] = []
        self.lines = []
        if limit == 0:
            return
        found = self._by_line() if self._by_lines else self._by_item()
        for done, (line, record) in enumerate(found, start=1):
            if not isinstance(record, dict):
                raise InputError(f"{self.name}:{line}: is no record: expected an object")
            batch.append(record)
            self.lines.append(line)
            if len(batch) == rows or done == limit:
                yield batch
                batch, self.lines = [], []
            if done == limit:
                return
        if batch:
            yield batch

    def _broken(self, line: int, error: Exception) -> InputError:
        if isinstance(error, _Twice):
            return InputError(f"{self.name}:{line}: an object has the same key twice")
        if isinstance(error, UnicodeError):
            return InputError(f"{self.name}:{line}: is not {self._encoding.removesuffix('-sig')}")
        if isinstance(error, RecursionError):
            return InputError(f"{self.name}:{line}: is nested too deeply")
        what = (
            error.msg if isinstance(error, json.JSONDecodeError) else "it is cut off or holds what JSON does not know"
        )
        return InputError(f"{self.name}:{line}: is not JSON: {what}")

    def _by_line(self) -> Iterator[tuple[int, Any]]:
        reader = codecs.getreader(self._encoding)(self._stream)
        number = 0
        while True:
            try:
                text = reader.readline(keepends=True)
                number += 1
                if not text:
                    return
                while not text.endswith("\n"):  # U+2028 and its like end no line of JSON
                    more = reader.readline(keepends=True)
                    if not more:
                        break
                    text += more
                body = text.strip(" \t\r\n")
                if body:
                    yield number, _DECODER.decode(body)
            except (ValueError, RecursionError) as error:
                raise self._broken(number, error) from None

    def _by_item(self) -> Iterator[tuple[int, Any]]:
        feed = _Feed(self._stream, self._encoding)
        try:
            first = feed.peek()
            if first == "":
                raise InputError(f"{self.name} is empty: expected an array of objects, or one object")
            if first != "[":
                self.single = True
                yield feed.line, feed.value()
            else:
                yield from self._items(feed)
            if feed.peek() != "":
                raise InputError(f"{self.name}:{feed.line}: is not JSON: text follows its end (JSON Lines? say jsonl)")
        except (ValueError, RecursionError) as error:
            raise self._broken(feed.line, error) from None

    def _items(self, feed: _Feed) -> Iterator[tuple[int, Any]]:
        feed.take()
        if feed.peek() == "]":
            feed.take()
            return
        while True:
            feed.peek()
            line = feed.line
            yield line, feed.value()
            end = feed.peek()
            if end not in (",", "]"):
                raise ValueError("no comma")
            feed.take()
            if end == "]":
                return


class _Feed:
    """A text read as it is needed: what was taken is forgotten."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder(encoding)().decode
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def _more(self, least: int = _CHUNK) -> bool:
        if self._ended:
            return False
        data = self._stream.read(least)
        self._ended = not data
        self._text = self._text[self._at :] + self._decode(data, final=self._ended)
        self._at = 0
        return True

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def peek(self) -> str:
        """The next character that is no space, without taking it; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._pass(found.end() if found else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self) -> None:
        """Take one character."""
        self._pass(self._at + 1)

    def value(self) -> Any:
        """Take one value. Raises ValueError."""
        least = _CHUNK
        while True:
            try:
                made, end = _DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:  # a number at the end may go on
                    self._pass(end)
                    return made
                if not self._more(least):
                    continue
            except json.JSONDecodeError:
                least *= 2  # each try reads anew, so tries become rarer as the value grows
                if not self._more(least):
                    raise


class JsonSink:
    """Records into a JSON array (one record a line), one object, or JSON Lines."""

    def __init__(self, path: Path, by_lines: bool, single: bool = False, columns: Sequence[str] = ()) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._by_lines = by_lines
        self._single = single and not by_lines
        self._columns = list(columns)
        self._count = 0
        if not by_lines and not self._single:
            self._file.write("[")

    def records(self, records: Sequence[dict[str, Any]]) -> None:
        """Append records. Raises MaskError."""
        texts = [dumps(record) for record in records]
        if not texts:
            return
        try:
            if self._by_lines or self._single:
                self._file.write("\n".join(texts) + "\n")
            else:
                self._file.write((",\n" if self._count else "\n") + ",\n".join(texts))
        except UnicodeEncodeError:
            raise MaskError("a text holds half of a surrogate pair, which is no Unicode text") from None
        self._count += len(texts)

    def write(self, batch: Batch) -> None:
        """Append a batch of columns."""
        names = self._columns
        self.records([dict(zip(names, row, strict=True)) for row in zip(*batch, strict=True)])

    def close(self) -> None:
        """End the array."""
        if not self._by_lines and not self._single:
            self._file.write("\n]\n" if self._count else "]\n")
        self._file.close()
