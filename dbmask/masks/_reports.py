"""What masks say of a run beside their values: those of texts count what they find, wherever they stand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from dbmask.masks.base import Bound

__all__ = ["Reporting", "report_of"]


def report_of(bound: Bound) -> Any:
    """What a bound mask, or the masks within it, count into; None where none of them counts anything."""
    return getattr(bound, "report", None)


class Reporting(ABC):
    """A Bound made of others: what they count, they count together."""

    @abstractmethod
    def within(self) -> Sequence[Bound]:
        """The bound masks that it is made of."""

    @property
    def report(self) -> Any:
        """The one report of all masks within; None where none counts."""
        report = next((r for r in map(report_of, self.within()) if r is not None), None)
        if report is not None:
            self.count_into(report)
        return report

    def count_into(self, report: Any) -> None:
        """Count into a report of several masks."""
        counting: list[Any] = [bound for bound in self.within() if report_of(bound) is not None]
        for bound in counting:
            bound.count_into(report)
