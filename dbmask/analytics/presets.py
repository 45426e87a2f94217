"""The thresholds of four common situations."""

from __future__ import annotations

__all__ = ["PRESETS"]

PRESETS: dict[str, dict[str, float]] = {
    "medical": {"k": 5, "l": 3, "t": 0.1, "utility": 0.7},
    "public": {"k": 10, "l": 5, "t": 0.05, "utility": 0.5},
    "internal": {"k": 3, "l": 2, "t": 0.2, "utility": 0.8},
    "exploratory": {"k": 2, "l": 2, "t": 0.5, "utility": 0.9},
}
"""k, l, t and the least utility score by situation."""
