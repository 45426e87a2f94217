"""Results as an HTML page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from dbmask.analytics.result import AnalyticsError, Result
from dbmask.report import render, write_page

__all__ = ["generate", "page"]

_ROWS = 20


def generate(
    results: Sequence[Result], output_path: str | os.PathLike[str], dataset_info: Mapping[str, Any] | None = None
) -> str:
    """Write the page of ``results`` to ``output_path``, complete or not at all; return the path.

    ``dataset_info`` holds facts to show above (records, file). Raises AnalyticsError where there is no result.
    """
    write_page(output_path, page(results, dataset_info))
    return os.fspath(output_path)


def page(results: Sequence[Result], dataset_info: Mapping[str, Any] | None = None) -> str:
    """The page as text. Raises AnalyticsError."""
    if not results:
        raise AnalyticsError("There are no results to report.")
    utility = results[0].score is not None
    return render(
        "dbmask.analytics",
        "analytics.html",
        {
            "results": results,
            "info": dataset_info or {},
            "utility": utility,
            "title": "Data utility" if utility else "Re-identification risk",
            "passed": sum(r.passed for r in results),
            "rows": _ROWS,
            "tables": [_table(r) for r in results],
            "names": _NAMES,
        },
    )


_FIELDS = {
    "Field Retention": {
        "Kept, %": "pct_unchanged",
        "Modified, %": "pct_modified",
        "Dropped, %": "pct_dropped",
        "Status": "status",
    },
    "Statistical Fidelity": {
        "Type": "type",
        "Fidelity": "fidelity",
        "Δ mean": "delta_mean",
        "Δ std": "delta_std",
        "Spearman ρ": "spearman_rho",
        "TVD": "tvd",
    },
    "Information Loss": {
        "Type": "type",
        "Loss": "ili",
        "Unchanged": "n_unchanged",
        "Modified": "n_modified",
        "Dropped": "n_dropped",
        "Level": "loss_level",
    },
}
"""The columns of a utility metric's table, and where their cells stand in its details."""

_WORDS = {"unknown": "not comparable", "partial": "in part"}
"""Words of the details that say little by themselves."""

_NAMES = {
    "k_min": "Smallest class (k)",
    "k_mean": "Mean class",
    "l_min": "Fewest values (l)",
    "l_mean": "Mean values",
    "t_max": "Largest distance (t)",
    "t_mean": "Mean distance",
    "num_classes": "Classes",
    "at_risk_records": "Records at risk",
    "pct_at_risk": "Share at risk, %",
}
"""Figures of source and replica in words."""

_CLASSES = {"risk": "Risk", "distinct_values": "Values", "emd": "Distance"}


def _table(result: Result) -> tuple[list[str], list[list[Any]]]:
    """Heads and rows of the metric's table: every field, or the worst classes."""
    if result.score is not None:
        columns = _FIELDS[result.name]
        rows = [[d["field"], *(_WORDS.get(str(d.get(k)), d.get(k)) for k in columns.values())] for d in result.details]
        return ["Field", *columns], rows
    key = next((k for k in _CLASSES if k in result.details[0]), "risk")
    rows = []
    for detail in result.details[:_ROWS]:
        satisfied = next(v for k, v in detail.items() if k.startswith("satisfies"))
        cells = [*detail["quasi_identifiers"].values(), detail["class_size"], detail[key]]
        rows.append([*cells, "✓ yes" if satisfied else "✗ no"])
    return [*result.metadata["quasi_identifiers"], "Records", _CLASSES[key], "Satisfied"], rows
