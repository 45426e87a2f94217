"""Files and records through rules or a policy."""

from __future__ import annotations

from dbmask.files.masker import Masker

__all__ = ["MaskMe", "Masker"]

MaskMe = Masker
