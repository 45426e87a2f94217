"""What a run found in its texts: counts by label and matcher, failures by reason. It holds no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbmask.text.result import TextResult

__all__ = ["TextReport"]

_NAMED = 1000


@dataclass
class TextReport:
    """Counts over all texts so far; ``nothing`` names, by row, the first texts in which nothing was found."""

    texts: int = 0
    spans: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    without: int = 0
    dropped: int = 0
    nothing: list[str] = field(default_factory=list)

    def count(self, outcomes: Iterable[TextResult]) -> None:
        """Add a batch."""
        ranks: list[int] = []
        rules: Sequence[tuple[str, str]] = ()
        for outcome in outcomes:
            self.texts += 1
            if outcome.failed:
                self.failures[outcome.failed] += 1
            elif not outcome.places:
                self.without += 1
            else:
                rules = outcome.rules  # a batch has one set of rules
                ranks += [rank for _, _, rank in outcome.places]
        for rank, number in Counter(ranks).items():
            self.spans[rules[rank]] += number

    def clear(self) -> None:
        """Begin anew."""
        vars(self).update(vars(TextReport()))

    def name(self, rows: Callable[[], Iterable[str]]) -> None:
        """Note rows without findings; a thousand are kept by name, and no more are asked for."""
        room = _NAMED - len(self.nothing)
        if room > 0:
            self.nothing += islice(rows(), room)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "texts": self.texts,
            "spans": [
                {"label": label, "matcher": matcher, "count": n} for (label, matcher), n in sorted(self.spans.items())
            ],
            "replaced": dict(sorted(self.failures.items())),
            "dropped_quotes": self.dropped,
            "without_findings": self.without,
            "rows_without_findings": self.nothing,
        }
