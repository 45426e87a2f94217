"""Field retention, statistical fidelity and information loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbmask.analytics import utility_advice as advice
from dbmask.analytics.histogram import bars
from dbmask.analytics.pairs import Pair
from dbmask.analytics.result import Result, utility_band
from dbmask.analytics.statistics import categorical_fidelity, numeric_fidelity, numeric_loss

__all__ = ["field_retention", "information_loss", "statistical_fidelity"]


def _ordered(pairs: Sequence[Pair]) -> list[Pair]:
    return [p for p in pairs if p.numeric] + [p for p in pairs if not p.numeric]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def field_retention(pairs: Sequence[Pair], threshold: float) -> Result:
    """The share of unchanged values by field, and its mean over the fields."""
    per_field: dict[str, dict[str, Any]] = {}
    rates = []
    total = len(pairs[0].before) if pairs else 0
    for p in pairs:
        modified = total - p.unchanged - p.dropped
        rates.append(p.unchanged / total)
        per_field[p.name] = {
            "unchanged": p.unchanged,
            "modified": modified,
            "dropped": p.dropped,
            "retention_rate": round(rates[-1], 4),
            "pct_unchanged": round(100 * p.unchanged / total, 2),
            "pct_modified": round(100 * modified / total, 2),
            "pct_dropped": round(100 * p.dropped / total, 2),
        }
    score = _mean(rates)
    kept = ("retention_rate", "pct_unchanged", "pct_modified", "pct_dropped")
    details = [
        {"field": name, **{k: f[k] for k in kept}, "status": _status(f, total)}
        for name, f in sorted(per_field.items(), key=lambda item: item[1]["retention_rate"])
    ]
    summary = {
        "global_retention_rate": round(score, 4),
        "total_fields": len(pairs),
        "fully_dropped_fields": sum(d["status"] == "dropped" for d in details),
        "fully_unchanged_fields": sum(d["status"] == "unchanged" for d in details),
        "total_records": total,
        "fields": [p.name for p in pairs],
        "per_field": per_field,
        "band": utility_band("field_retention", score),
    }
    texts = advice.field_retention(score, per_field, total)
    chart = bars("Share of unchanged values", *_columns(details, "retention_rate"), threshold, lower_is_bad=True)
    metadata = {"total_fields": len(pairs), "total_records": total}
    shown = round(score, 4)
    return Result("Field Retention", score >= threshold, threshold, summary, details, texts, shown, [chart], metadata)


def _status(f: dict[str, Any], total: int) -> str:
    if f["dropped"] == total:
        return "dropped"
    if f["unchanged"] == total:
        return "unchanged"
    return "modified" if f["unchanged"] == 0 else "partial"


def _columns(details: Sequence[dict[str, Any]], key: str) -> tuple[list[str], list[float]]:
    return [d["field"] for d in details], [d[key] for d in details]


def statistical_fidelity(pairs: Sequence[Pair], threshold: float) -> Result:
    """How near the statistics of each field stay. A dropped field scores 0."""
    ordered = _ordered(pairs)
    per_field = {p.name: numeric_fidelity(p) if p.numeric else categorical_fidelity(p) for p in ordered}
    score = _mean([f["fidelity"] for f in per_field.values()])
    details = [
        {"field": name, "type": "unknown", "fidelity": 0.0}
        if "error" in f
        else {"field": name, "type": f["type"], "fidelity": f["fidelity"], **f}
        for name, f in sorted(per_field.items(), key=lambda item: item[1]["fidelity"])
    ]
    low = [name for name, f in per_field.items() if f["fidelity"] < threshold]
    kinds = {
        "numerical_fields": [p.name for p in pairs if p.numeric],
        "categorical_fields": [p.name for p in pairs if not p.numeric],
    }
    summary = {
        "global_fidelity_score": round(score, 4),
        **kinds,
        "low_fidelity_fields": low,
        "per_field": per_field,
        "band": utility_band("statistical_fidelity", score),
    }
    charts = []
    for kind, title in (("numerical", "Fidelity of numbers"), ("categorical", "Fidelity of categories")):
        rows = [d for d in details if d["type"] == kind]
        if rows:
            charts.append(bars(title, *_columns(rows, "fidelity"), threshold, lower_is_bad=True))
    texts = advice.statistical_fidelity(score, low, per_field)
    shown = round(score, 4)
    return Result(
        "Statistical Fidelity", score >= threshold, threshold, summary, details, texts, shown, charts, dict(kinds)
    )


def information_loss(pairs: Sequence[Pair], threshold: float) -> Result:
    """How far values moved: numbers by their range, categories by the share that changed."""
    per_field: dict[str, dict[str, Any]] = {}
    losses = []
    for p in _ordered(pairs):
        if p.numeric:
            facts = numeric_loss(p)
        else:
            total = len(p.before)
            changed = {
                "n_unchanged": p.unchanged,
                "n_modified": total - p.unchanged - p.dropped,
                "n_dropped": p.dropped,
            }
            facts = {"type": "categorical", "ili": 1 - p.unchanged / total, **changed}
        losses.append(facts["ili"])
        per_field[p.name] = {**facts, "ili": round(facts["ili"], 4)}
    loss = _mean(losses)
    details = [
        {"field": name, **{k: v for k, v in f.items() if k != "orig_range"}, "loss_level": advice.loss_level(f["ili"])}
        for name, f in sorted(per_field.items(), key=lambda item: -item[1]["ili"])
    ]
    kinds = {
        "numerical_fields": [p.name for p in pairs if p.numeric],
        "categorical_fields": [p.name for p in pairs if not p.numeric],
    }
    summary = {
        "global_ili": round(loss, 4),
        "utility_score": round(1 - loss, 4),
        "high_loss_fields": [d["field"] for d in details if d["loss_level"] == "high"],
        "low_loss_fields": [d["field"] for d in details if d["loss_level"] == "low"],
        **kinds,
        "per_field": per_field,
        "band": utility_band("information_loss", 1 - loss),
    }
    counts = {k: sum(f[k] for f in per_field.values()) for k in ("n_unchanged", "n_modified", "n_dropped")}
    every = max(sum(counts.values()), 1)
    shares = [round(n / every, 4) for n in counts.values()]
    charts = [
        bars("Information loss by field", *_columns(details, "ili"), 0.5, lower_is_bad=False),
        bars("What became of all values", ["unchanged", "modified", "dropped"], shares, None, lower_is_bad=False),
    ]
    formula = {
        "numerical": "NMAE = Σ|orig−anon| / (n·range)",
        "categorical": "proportion of changed or dropped values",
    }
    metadata = {**kinds, "ili_formula": formula}
    texts = advice.information_loss(loss, details, threshold)
    shown = round(1 - loss, 4)
    return Result(
        "Information Loss", 1 - loss >= threshold, threshold, summary, details, texts, shown, charts, metadata
    )
