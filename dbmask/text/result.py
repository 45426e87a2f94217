"""What became of one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dbmask.text.spans import Part, Place, Span

__all__ = ["TextResult"]


@dataclass(slots=True)
class TextResult:
    """A masked text.

    ``spans`` are what was masked, in the original's code points. ``failed`` says, without content, why the whole text
    was replaced. ``parts`` (for each span, what it was merged from) and ``rejected`` (what a filter rejected, with the
    filter) are filled where an explanation was asked for. ``batch`` holds the places of a whole batch; ``at`` says which of
    them are this text's (first, last, and where the text begins).
    """

    output: str
    failed: str = ""
    rules: Sequence[tuple[str, str]] = ()
    batch: Sequence[Place] = ()
    at: tuple[int, int, int] = (0, 0, 0)
    parts: tuple[tuple[Part, ...], ...] = ()
    rejected: tuple[tuple[Part, str], ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """(start, end, label, matcher) from left to right. Made on demand: most callers of a million texts read outputs only."""
        first, last, base = self.at
        return tuple(Span(start - base, end - base, *self.rules[rank]) for start, end, rank in self.batch[first:last])
