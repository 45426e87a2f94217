"""The statistics of one field before and after."""

from __future__ import annotations

from typing import Any

from dbmask.analytics.pairs import Pair

__all__ = ["categorical_fidelity", "numeric_fidelity", "numeric_loss"]


def numeric_fidelity(p: Pair) -> dict[str, Any]:
    """1 - min(|mean difference| / max(range, |mean|, 1e-9), 1); deltas are shares of the same scale."""
    import numpy as np

    before, after = p.numbers
    both = ~np.isnan(before) & ~np.isnan(after)
    x, y = before[~np.isnan(before)], after[~np.isnan(after)]
    if not len(x) or not len(y):
        return {"fidelity": 0.0, "error": "no numeric values found"}
    scale = max(float(x.max() - x.min()), abs(float(x.mean())), 1e-9)
    delta = abs(float(x.mean()) - float(y.mean())) / scale
    std_x, std_y = _std(x), _std(y)
    return {
        "type": "numerical",
        "orig_mean": round(float(x.mean()), 4),
        "anon_mean": round(float(y.mean()), 4),
        "orig_std": round(std_x, 4),
        "anon_std": round(std_y, 4),
        "delta_mean": round(delta, 4),
        "delta_std": round(abs(std_x - std_y) / max(std_x, 1e-9), 4) if std_x or std_y else 0.0,
        "spearman_rho": round(_spearman(before[both], after[both]), 4),
        "fidelity": round(1 - min(delta, 1.0), 4),
        "n_orig": len(x),
        "n_anon": len(y),
    }


def _std(values: Any) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _ranks(values: Any) -> Any:
    """Ranks from 0, ties averaged."""
    import numpy as np

    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[inverse]


def _spearman(x: Any, y: Any) -> float:
    """Pearson's correlation of averaged ranks; of constants 1 where both sides are constant, else 0."""
    import numpy as np

    if not len(x):
        return 0.0
    a, b = _ranks(x), _ranks(y)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if norm == 0.0:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float((a * b).sum()) / norm


def categorical_fidelity(p: Pair) -> dict[str, Any]:
    """1 - total variation distance between the values' shares."""
    import numpy as np

    width = len(p.labels)
    old = np.bincount(p.before[p.before >= 0], minlength=width)
    new = np.bincount(p.after[p.after >= 0], minlength=width)
    if not old.sum() or not new.sum():
        return {"fidelity": 0.0, "error": "no values found"}
    distance = round(float(np.abs(old / old.sum() - new / new.sum()).sum()) / 2, 4)
    return {
        "type": "categorical",
        "tvd": distance,
        "fidelity": round(1 - distance, 4),
        "orig_top_value": p.labels[int(old.argmax())],
        "anon_top_value": p.labels[int(new.argmax())],
        "orig_unique": int((old > 0).sum()),
        "anon_unique": int((new > 0).sum()),
        "n_orig": int(old.sum()),
        "n_anon": int(new.sum()),
    }


def numeric_loss(p: Pair) -> dict[str, Any]:
    """Sum of |o - a| / (n * range), capped at 1. What is dropped or no number any more has lost its whole range."""
    import numpy as np

    before, after = p.numbers
    there = ~np.isnan(before)
    x, y, codes, others = before[there], after[there], p.before[there], p.after[there]
    if not len(x):
        facts = {"n_unchanged": p.unchanged, "n_modified": len(p.before) - p.unchanged - p.dropped}
        return {"type": "numerical", "ili": 1 - p.unchanged / len(p.before), **facts, "n_dropped": p.dropped}
    spread = float(x.max() - x.min()) or 1.0
    gone = np.isnan(y)
    moved = float(np.abs(x[~gone] - y[~gone]).sum()) + spread * int(gone.sum())
    dropped, same = int((others < 0).sum()), int((codes == others).sum())
    return {
        "type": "numerical",
        "ili": min(moved / (len(x) * spread), 1.0),
        "orig_range": round(spread, 4),
        "n_unchanged": same,
        "n_modified": len(x) - same - dropped,
        "n_dropped": dropped,
    }
