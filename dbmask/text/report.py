"""What a run found in its texts: counts by label and matcher, failures by reason. It holds no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbmask.text.engine import Outcome

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

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Add a batch."""
        for outcome in outcomes:
            self.texts += 1
            if outcome.failed:
                self.failures[outcome.failed] += 1
            elif not outcome.spans:
                self.without += 1
            for span in outcome.spans:
                self.spans[span.label, span.matcher] += 1

    def name(self, rows: Iterable[str]) -> None:
        """Note rows without findings; a thousand are kept by name."""
        for row in rows:
            if len(self.nothing) == _NAMED:
                return
            self.nothing.append(row)

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
