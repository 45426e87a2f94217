"""Plain text from files and pipes: whole or line by line, decoded with the place of what is no text, written complete or not at all."""

from __future__ import annotations

import codecs
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from dbmask.atomic import appearing
from dbmask.errors import UsageError

__all__ = ["MaskTexts", "mask_stream", "opened", "written"]

MaskTexts = Callable[[list[str]], Sequence[str]]
"""Texts in, masked texts out."""

_BATCH = 2_000
_CHARACTERS = 1 << 20
_SPOOL = 1 << 24
_LINE_FEEDS = ("utf-8", "ascii", "iso8859", "cp125", "koi8", "mac")
"""Encodings, by how Python's names of them begin, in which the byte 10 is a line feed and nothing else."""


def mask_stream(
    source: BinaryIO, target: IO[bytes], mask: MaskTexts, encoding: str = "utf-8", lines: bool = False
) -> int:
    """Mask a file as one text, or each of its lines as one, line ends kept; return the number of texts.

    Raises UsageError for an unknown encoding, and for bytes that are no text in it, with their position.
    """
    encoder = _encoder(encoding)
    if not lines:
        target.write(_encoded(mask([_decoded(source.read(), encoding, 0, 0)])[0], encoder, encoding))
        return 1
    count = 0
    for batch in _batches(_lines(source, encoding)):
        bodies = [line.rstrip("\r\n") for line in batch]
        for line, body, made in zip(batch, bodies, mask(bodies), strict=True):
            target.write(_encoded(made + line[len(body) :], encoder, encoding))
        count += len(batch)
    target.write(encoder.encode("", final=True))
    return count


def _encoder(encoding: str) -> codecs.IncrementalEncoder:
    """One for the whole output, so that a byte order mark is written once."""
    try:
        "".encode(encoding)  # not all codecs encode text
        return codecs.getincrementalencoder(encoding)()
    except (LookupError, UnicodeError):
        raise UsageError(f"there is no encoding {encoding!r}") from None


def _lines(source: BinaryIO, encoding: str) -> Iterator[str]:
    if not codecs.lookup(encoding).name.startswith(_LINE_FEEDS):
        # There a line feed may be another byte, several bytes, or part of a character.
        yield from io.StringIO(_decoded(source.read(), encoding, 0, 0), newline="\n")
        return
    at = 0
    for number, line in enumerate(source, 1):
        yield _decoded(line, encoding, at, number)
        at += len(line)


def _decoded(data: bytes, encoding: str, at: int, line: int) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if not line:
            line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"line {line}, byte {at + error.start}: not {encoding} text (name another with --encoding)"
        ) from None


def _encoded(text: str, encoder: codecs.IncrementalEncoder, encoding: str) -> bytes:
    try:
        return encoder.encode(text)
    except UnicodeEncodeError:
        raise UsageError(f"the masked text cannot be written in {encoding} (use --encoding utf-8)") from None


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for line in lines:
        batch.append(line)
        characters += len(line)
        if len(batch) == _BATCH or characters > _CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A file for reading; ``-`` is standard input. Raises UsageError where it cannot be read."""
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below, and reading errors are not opening errors
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield file


@contextmanager
def written(path: str | None) -> Iterator[IO[bytes]]:
    """Where a result goes: a file that appears when it is complete, or standard output. Nothing comes out of a failed run."""
    if path is None or path == "-":
        with tempfile.SpooledTemporaryFile(_SPOOL) as spool:
            yield spool
            spool.seek(0)
            while piece := spool.read(1 << 16):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        return
    with appearing(Path(path)) as made, made.open("wb") as file:
        yield file
