"""The page on the anonymizer: its picture is what the script draws, its parameters are those of the class."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path

from dbmask.anonymizer.flags import Flag
from dbmask.anonymizer.mask import AnonymizerMask
from dbmask.anonymizer.parameters import CHOICES, ROLES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "anonymizer.md").read_text("utf-8")


def test_the_picture_is_the_one_that_the_script_draws() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "make_window_picture.py"))
    assert made["picture"]() == (ROOT / "docs" / "images" / "anonymizer-windows.svg").read_text("utf-8")
    assert "images/anonymizer-windows.svg" in PAGE


def test_the_page_knows_every_parameter_flag_and_kind() -> None:
    table = PAGE[PAGE.index("## Parameters") :]
    named = {f.name for f in dataclasses.fields(AnonymizerMask)} - set(ROLES)
    assert [n for n in sorted(named) if f"`{n}`" not in table] == []
    assert [f.name for f in Flag if f"`{f.name}`" not in PAGE] == []
    assert [v for values in CHOICES.values() for v in values if v not in PAGE] == []
