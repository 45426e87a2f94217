"""Measuring what is left: re-identification risk, and the utility of what was masked.

``risk``, ``utility`` and ``report`` are modules; ``run`` here is risk's for ``records`` and utility's for ``original``.
"""

from __future__ import annotations

from typing import Any

from dbmask.analytics import report, risk, utility
from dbmask.analytics.presets import PRESETS
from dbmask.analytics.result import AnalyticsError, Result

__all__ = ["PRESETS", "AnalyticsError", "Result", "report", "risk", "run", "utility"]


def run(*args: Any, **kwargs: Any) -> list[Result]:
    """risk.run, or utility.run where ``original`` is named. Raises AnalyticsError."""
    return utility.run(*args, **kwargs) if "original" in kwargs else risk.run(*args, **kwargs)
