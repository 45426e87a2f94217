"""Files and records through rules or a policy."""

from __future__ import annotations

from dbmask.files.job import FileJob, FileResult
from dbmask.files.masker import Masker
from dbmask.files.rules import RulesError, load_rules
from dbmask.files.run import mask_file

__all__ = ["FileJob", "FileResult", "MaskMe", "Masker", "RulesError", "load_rules", "mask_file"]

MaskMe = Masker
"""The class's name in the program whose rules these are."""
