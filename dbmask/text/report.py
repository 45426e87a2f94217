"""What a run found in its texts: counts by label and matcher, failures by reason. It holds no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

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

    def count(self, texts: int, ranks: Iterable[int], rules: Sequence[tuple[str, str]], without: int) -> None:
        """Add texts that were masked: the rank of each span, label and matcher by rank, and how many texts had none."""
        self.texts += texts
        self.without += without
        for rank, number in Counter(ranks).items():
            self.spans[rules[rank]] += number

    def fail(self, reasons: Iterable[str]) -> None:
        """Note texts that were replaced whole, or will be; they count as texts."""
        for reason in reasons:
            self.texts += 1
            self.failures[reason] += 1

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
