"""A batch of texts as matchers see it: each text, its folded form, and the columns of its row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from dbmask.text.fold import clean, fold, plain

__all__ = ["Batch", "Finder", "Found", "Located"]

Located = tuple[int, int, int, int]
"""(text, start, -end, rank): where in the batch, and the hit."""


@dataclass
class Found:
    """What one matcher found in a batch, and the texts it failed on: index -> reason, in words without content.

    ``rejected`` are matches that a filter rejected, with its name. ``lemmas`` gives, by (text, start, end), the value of
    which a match is an inflected form. ``dropped`` counts answers that were not in their text.
    """

    hits: list[Located] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    rejected: list[tuple[int, int, int, int, str]] = field(default_factory=list)
    lemmas: dict[tuple[int, int, int], str] = field(default_factory=dict)
    dropped: int = 0


class Finder(Protocol):
    """One matcher, ready to run."""

    name: str

    def find(self, batch: Batch) -> Found:
        """Search every text of the batch. An exception counts as a failure on each text that raises it alone."""
        ...


@dataclass
class Batch:
    """Texts without null and empty ones; ``rows`` maps a column's name to its values, one for each text."""

    texts: Sequence[str]
    rows: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def one(self, index: int) -> Batch:
        """The same batch with one text only."""
        return Batch([self.texts[index]], {name: [values[index]] for name, values in self.rows.items()})

    @cached_property
    def clean(self) -> list[str]:
        """The texts without lone surrogates."""
        return [t if t.isascii() else clean(t) for t in self.texts]

    @cached_property
    def plain(self) -> list[bytes]:
        """The texts in ASCII letters, as bytes: a place in one is the same place in the text."""
        others = [t for t in self.texts if not t.isascii()]
        mapped = _cut(plain("".join(others)).encode("ascii"), others)
        return [t.encode("ascii") if t.isascii() else next(mapped) for t in self.texts]

    @cached_property
    def joined(self) -> str:
        """All texts, each followed by a line feed."""
        return "\n".join([*self.clean, ""])

    @cached_property
    def starts(self) -> list[int]:
        """Where each text begins in ``joined``, and at last where it ends."""
        made, at = [0], 0
        for text in self.texts:
            at += len(text) + 1
            made.append(at)
        return made

    @cached_property
    def joined_folded(self) -> str:
        """``joined``, folded; of the same length."""
        return fold(self.joined)

    @cached_property
    def folded(self) -> list[str]:
        """Each text folded."""
        whole, starts = self.joined_folded, self.starts
        return [whole[starts[i] : starts[i + 1] - 1] for i in range(len(self.texts))]


def _cut(joined: bytes, texts: Sequence[str]) -> Iterator[bytes]:
    at = 0
    for text in texts:
        yield joined[at : at + len(text)]
        at += len(text)
