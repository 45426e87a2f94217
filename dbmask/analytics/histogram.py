"""Values in at most 24 bins, for a chart: a report stays small for a million classes."""

from __future__ import annotations

import itertools
from typing import Any

__all__ = ["bars", "histogram"]

_BINS = 24


def histogram(title: str, values: Any, weights: Any = None, threshold: float | None = None) -> dict[str, Any]:
    """How many values (or how much weight) fall into each bin; whole numbers have bins of whole numbers."""
    import numpy as np

    whole = np.issubdtype(values.dtype, np.integer)
    low, high = (int(values.min()), int(values.max())) if whole else (0.0, max(float(values.max()), 1e-9))
    if whole and high - low < _BINS:
        edges = np.arange(low, high + 2)
        labels = [str(int(e)) for e in edges[:-1]]
    elif whole:
        # Sizes span orders of magnitude: bins grow with them.
        edges = np.unique(np.geomspace(max(low, 1), high + 1, _BINS + 1).astype(np.int64))
        labels = [f"{int(a)}–{int(b) - 1}" if b - a > 1 else str(int(a)) for a, b in itertools.pairwise(edges)]
        edges[0] = low
    else:
        edges = np.linspace(low, high, _BINS // 2 + 1)
        labels = [f"{a:.2g}–{b:.2g}" for a, b in itertools.pairwise(edges)]
    counts, _ = np.histogram(values, bins=edges, weights=weights)
    ends = edges[1:] - 1 if whole else edges[:-1]
    less = [threshold is not None and (bool(e < threshold) if whole else bool(e >= threshold)) for e in ends]
    return {
        "kind": "histogram",
        "title": title,
        "labels": labels,
        "values": [float(c) for c in counts],
        "bad": less,
        "threshold": threshold,
    }


def bars(
    title: str, labels: list[str], values: list[float], threshold: float | None, lower_is_bad: bool
) -> dict[str, Any]:
    """One horizontal bar for each label, values 0..1."""
    bad = [threshold is not None and (v < threshold if lower_is_bad else v > threshold) for v in values]
    return {"kind": "bars", "title": title, "labels": labels, "values": values, "bad": bad, "threshold": threshold}
