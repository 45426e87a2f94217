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
    """The page as text."""
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
        },
    )
