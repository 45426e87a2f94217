"""A batch of texts as matchers see it: each text, its folded form, and the columns of its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Protocol

from dbmask.errors import MaskError
from dbmask.text.fold import clean, fold, plain
from dbmask.text.spans import Hit

__all__ = ["MOST_HITS", "Batch", "Finder", "Found", "Located"]

MOST_HITS = 5_000_000
"""So many matches of one matcher are held, about 2 GB with what becomes of them: ten times what 100 MB of prose have."""

Located = tuple[int, int, int, int]
"""(text, start, -end, rank): which text of the batch, and the hit within it."""


@dataclass
class Found:
    """What one matcher found in a batch, and the texts it failed on: index -> reason, in words without content.

    ``hits`` are places in the batch's joined texts, in any order. ``rejected`` are matches that a filter rejected, with
    its name. ``lemmas`` gives, by (start, end) as in ``hits``, the value of which a match is an inflected form.
    ``dropped`` counts answers that were not in their text.
    """

    hits: list[Hit] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    rejected: list[tuple[Located, str]] = field(default_factory=list)
    lemmas: dict[tuple[int, int], str] = field(default_factory=dict)
    dropped: int = 0

    def check(self) -> Found:
        """Itself. Raises MaskError where there is more than memory should be spent on."""
        if len(self.hits) + len(self.rejected) > MOST_HITS:
            raise MaskError(f"there are more than {MOST_HITS:,} matches")
        return self


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
    def original(self) -> str:
        """All texts, each followed by a line feed."""
        return "\n".join([*self.texts, ""])

    @cached_property
    def joined(self) -> str:
        """``original`` without lone surrogates."""
        return clean(self.original)

    @cached_property
    def clean(self) -> Sequence[str]:
        """The texts without lone surrogates."""
        return self.texts if self.joined is self.original else self._cut(self.joined)

    @cached_property
    def joined_plain(self) -> bytes:
        """``joined`` in ASCII letters, as bytes: a place in one is the same place in the other."""
        if self.original.isascii():
            return self.original.encode("ascii")
        others = [t for t in self.texts if not t.isascii()]
        mapped, at, made = plain("".join(others)).encode("ascii"), 0, []
        for text in self.texts:
            if text.isascii():
                made.append(text.encode("ascii"))
            else:
                made.append(mapped[at : at + len(text)])
                at += len(text)
        return b"\n".join([*made, b""])

    @cached_property
    def starts(self) -> list[int]:
        """Where each text begins in ``joined``, and at last where it ends."""
        return list(accumulate((len(text) + 1 for text in self.texts), initial=0))

    @cached_property
    def folded(self) -> list[str]:
        """Each text folded."""
        return self._cut(fold(self.joined))

    def _cut(self, whole: str) -> list[str]:
        return [whole[start : end - 1] for start, end in pairwise(self.starts)]
