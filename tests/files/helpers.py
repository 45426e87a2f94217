"""Runs over files, for tests: rules as a dict, files by path."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from dbmask.files import FileJob, FileResult, mask_file
from dbmask.files.rules import rules_from_dict
from dbmask.keys import KeyRing, MasterKey

KEYS = KeyRing(MasterKey(b"a key of thirty-two bytes, public"))


def run(rules: dict[str, Any], source: Path, target: Path, **options: Any) -> FileResult:
    """Mask a file by rules."""
    salt = options.pop("salt", "")
    job = FileJob(rules_from_dict(rules, salt), KEYS, source=str(source), target=str(target), **options)
    return mask_file(job)


def rows_of(path: Path, **options: Any) -> list[list[str]]:
    """The rows of a CSV file, header first."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, **options))


def left_in(folder: Path) -> set[str]:
    """The names of what lies in a folder."""
    return {p.name for p in folder.iterdir()}
