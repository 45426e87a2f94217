"""What each metric returns, and the bands that reports name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from dbmask.errors import UsageError

__all__ = ["AnalyticsError", "Result", "risk_band", "utility_band"]


class AnalyticsError(UsageError, ValueError):
    """The data cannot be measured as asked: a field that is not there, no rows, tables of different length."""


@dataclass(frozen=True)
class Result:
    """One metric: its verdict and what stands behind it.

    ``score`` (0..1) is set for utility only. ``details`` holds the worst classes or all fields; ``charts`` are
    descriptions that the report draws: title, labels, values, threshold.
    """

    name: str
    passed: bool
    threshold: float
    summary: dict[str, Any]
    details: list[dict[str, Any]]
    recommendations: list[str]
    score: float | None = None
    charts: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)


def risk_band(name: str, value: float) -> str:
    """The band of k, l or t by the tutorial's tables: strict, moderate, relaxed, or outside of all."""
    if name == "t":
        bands = [(0.10, "strict"), (0.20, "moderate"), (0.50, "relaxed")]
        return next((band for limit, band in bands if value <= limit), "outside the bands")
    bands = [(5, "strict"), (3, "moderate"), (2, "relaxed")]
    return next((band for limit, band in bands if value >= limit), "outside the bands")


def utility_band(name: str, score: float) -> str:
    """The band of a utility score by the tutorial's tables: good, acceptable, needs review."""
    if score >= 0.8:
        return "good"
    return "acceptable" if score >= (0.6 if name == "statistical_fidelity" else 0.5) else "needs review"
