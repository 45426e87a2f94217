"""Utility: what masking has left of the data's use.

>>> [r.score for r in run([{"a": "x"}], [{"a": "x"}])]
[1.0, 1.0, 1.0]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dbmask.analytics import report
from dbmask.analytics.columns import Frame, frame_of
from dbmask.analytics.pairs import Pair, pairs_of, require_paired
from dbmask.analytics.result import AnalyticsError, Result
from dbmask.analytics.utility_metrics import field_retention, information_loss, statistical_fidelity

__all__ = ["METRICS", "report", "run", "run_frames"]

METRICS = {
    "field_retention": field_retention,
    "statistical_fidelity": statistical_fidelity,
    "information_loss": information_loss,
}


def run(
    original: Iterable[Mapping[str, Any]],
    anonymised: Iterable[Mapping[str, Any]],
    numerical_fields: Sequence[str] | None = None,
    categorical_fields: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    field_retention_threshold: float = 0.5,
    statistical_fidelity_threshold: float = 0.6,
    information_loss_threshold: float = 0.5,
) -> list[Result]:
    """Compare records row by row. Raises AnalyticsError, a ValueError, where they cannot be compared.

    Fields that are named in neither list are numeric where all their values are.
    """
    thresholds = (field_retention_threshold, statistical_fidelity_threshold, information_loss_threshold)
    frames = frame_of(original), frame_of(anonymised)
    return run_frames(*frames, numerical_fields or (), categorical_fields or (), metrics, thresholds)


def run_frames(
    original: Frame,
    anonymised: Frame,
    numerical: Sequence[str] = (),
    categorical: Sequence[str] = (),
    metrics: Sequence[str] | None = None,
    thresholds: tuple[float, float, float] = (0.5, 0.6, 0.5),
) -> list[Result]:
    """As run, of columns that are integer codes already. Raises AnalyticsError."""
    if not original.rows:
        raise AnalyticsError("Cannot run analytics on an empty dataset.")
    if original.rows != anonymised.rows:
        raise AnalyticsError(
            "Original and anonymised datasets must have the same number of records. "
            f"Got {original.rows} vs {anonymised.rows}."
        )
    require_paired(original, anonymised)
    names = list(METRICS) if metrics is None else list(metrics)
    for name in names:
        if name not in METRICS:
            raise AnalyticsError(f"Unknown metric '{name}'; there are {', '.join(METRICS)}.")
    for field in (*numerical, *categorical):
        if field not in original.columns:
            raise AnalyticsError(f"Field '{field}' not found in records.")
    pairs: list[Pair] = pairs_of(original, anonymised, numerical, categorical)
    limits = dict(zip(METRICS, thresholds, strict=True))
    return [METRICS[name](pairs, limits[name]) for name in names]
