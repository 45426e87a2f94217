"""Real databases, registers and documents that are not part of the project: looked for in ``shared`` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["SHARED", "real"]

SHARED = Path(__file__).parents[2] / "shared"


def real(name: str) -> Path:
    """The path of ``shared/NAME``. Where it is not there the test is skipped and says so; with DBMASK_CI set it fails."""
    path = SHARED / name
    if not path.exists():
        what = f"{name} is looked for in a folder `shared` beside the checkout, and is not there"
        if os.environ.get("DBMASK_CI"):
            pytest.fail(what)
        pytest.skip(what)
    return path
