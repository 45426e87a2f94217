"""The anonymizer: birth dates, birth numbers (rodné číslo and others), first and last names of the same rows.

Public names are loaded when they are first used: they need numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.lazy import loader

if TYPE_CHECKING:
    from dbmask.anonymizer.api import Anonymizer
    from dbmask.anonymizer.flags import Flag, ScoringEntry
    from dbmask.anonymizer.name_builder import build_names, read_names
    from dbmask.anonymizer.step import run_step

__all__ = ["Anonymizer", "Flag", "ScoringEntry", "build_names", "read_names", "run_step"]

_WHERE = {
    "Anonymizer": "dbmask.anonymizer.api",
    "Flag": "dbmask.anonymizer.flags",
    "ScoringEntry": "dbmask.anonymizer.flags",
    "build_names": "dbmask.anonymizer.name_builder",
    "read_names": "dbmask.anonymizer.name_builder",
    "run_step": "dbmask.anonymizer.step",
}


__getattr__ = loader(__name__, _WHERE)


def __dir__() -> list[str]:
    return sorted(__all__)
