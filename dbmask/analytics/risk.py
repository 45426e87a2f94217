"""Re-identification risk: k-anonymity, l-diversity, t-closeness.

>>> rows = [{"age": "30-35", "flu": "yes"}, {"age": "30-35", "flu": "no"}]
>>> [r.passed for r in run(rows, ["age"], "flu")]
[True, True, True]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dbmask.analytics import report
from dbmask.analytics.columns import Frame, frame_of
from dbmask.analytics.result import AnalyticsError, Result
from dbmask.analytics.risk_metrics import Question, k_anonymity, l_diversity, t_closeness

__all__ = ["METRICS", "compare", "report", "run", "run_frame"]

METRICS: dict[str, Callable[[Question], Result]] = {
    "k_anonymity": k_anonymity,
    "l_diversity": l_diversity,
    "t_closeness": t_closeness,
}


def run(
    records: Iterable[Mapping[str, Any]],
    quasi_identifiers: Sequence[str],
    sensitive_attr: str | None = None,
    analytics: Sequence[str] | None = None,
    k_threshold: int = 2,
    l_threshold: int = 2,
    t_threshold: float = 0.2,
) -> list[Result]:
    """Measure records (mappings of field to value). Raises AnalyticsError, a ValueError, where they cannot be measured.

    ``analytics`` names the metrics to run, in order; all by default, without a sensitive attribute k-anonymity alone.
    """
    frame = frame_of(records)
    return run_frame(frame, quasi_identifiers, sensitive_attr, analytics, k_threshold, l_threshold, t_threshold)


def run_frame(
    frame: Frame,
    quasi_identifiers: Sequence[str],
    sensitive_attr: str | None,
    analytics: Sequence[str] | None = None,
    k_threshold: int = 2,
    l_threshold: int = 2,
    t_threshold: float = 0.2,
) -> list[Result]:
    """As run, of columns that are integer codes already; without a sensitive attribute k-anonymity alone. Raises AnalyticsError."""
    if not frame.rows:
        raise AnalyticsError("Cannot run analytics on an empty dataset.")
    if not quasi_identifiers:
        raise AnalyticsError("Name at least one quasi-identifier.")
    for name in quasi_identifiers:
        if name not in frame.columns:
            raise AnalyticsError(f"Quasi-identifier '{name}' not found in records.")
    if sensitive_attr is not None and sensitive_attr not in frame.columns:
        raise AnalyticsError(f"Sensitive attribute '{sensitive_attr}' not found in records.")
    names = list(METRICS if sensitive_attr is not None else ["k_anonymity"]) if analytics is None else list(analytics)
    for name in names:
        if name not in METRICS:
            raise AnalyticsError(f"Unknown analytics '{name}'; there are {', '.join(METRICS)}.")
        if sensitive_attr is None and name != "k_anonymity":
            raise AnalyticsError(f"{name} needs a sensitive attribute.")
    question = Question(
        frame, tuple(dict.fromkeys(quasi_identifiers)), sensitive_attr, k_threshold, l_threshold, t_threshold
    )
    return [METRICS[name](question) for name in names]


def compare(source: Sequence[Result], replica: Sequence[Result]) -> list[Result]:
    """The replica's results with the source's figures beside them, as ``summary["source"]``."""
    before = {r.name: r.summary for r in source}
    keys = ("k_min", "k_mean", "l_min", "l_mean", "t_max", "t_mean", "num_classes", "at_risk_records", "pct_at_risk")
    joined = []
    for result in replica:
        figures = {k: v for k, v in before.get(result.name, {}).items() if k in keys}
        joined.append(Result(**{**vars(result), "summary": {**result.summary, "source": figures}}))
    return joined
