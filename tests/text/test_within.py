"""Texts that are masked inside other masks are counted as those that stand alone."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbmask.cli import run
from dbmask.masks._reports import report_of
from dbmask.masks.base import Columns
from dbmask.masks.build import build_mask, example_keys
from dbmask.schema import Column, ColumnType, Kind

NUMBERS = {
    "mask": "text",
    "matchers": {"regex": [{"label": "NUMBER", "pattern": "[0-9]+"}]},
    "masks": [{"label": "NUMBER", "masks": ["redact"]}],
}
NAMES = {
    "mask": "text",
    "matchers": {"context_sources": [{"label": "NAME", "column": "name"}]},
    "masks": [{"label": "NAME", "masks": ["first_name"]}],
}
ANEW = {**NAMES, "masks": [{"label": "NAME", "masks": [{"mask": "imitate", "unique": True}]}]}  # bound for each row
CHAIN = {"mask": "chain", "masks": [NAMES, NUMBERS]}
ROWS = [
    (1, "Tom", "a", "Tom is 12"),
    (2, "Ann", "b", "Ann or 34 or 5"),
    (3, "Eve", "a", "nothing"),
    (4, None, "b", None),
]


def when(then: Any, otherwise: Any) -> dict[str, Any]:
    return {"mask": "when", "if": {"column": "ward", "equals": "a"}, "then": then, "else": otherwise}


# The mask, its texts, those in which nothing was found, and what was found.
WITHIN: dict[str, tuple[dict[str, Any], int, int, dict[tuple[str, str], int]]] = {
    "chain": (CHAIN, 6, 2, {("NAME", "context_sources"): 2, ("NUMBER", "regex"): 3}),
    "when": (when(NUMBERS, "keep"), 2, 1, {("NUMBER", "regex"): 1}),
    "when, both": (when(NUMBERS, NAMES), 3, 1, {("NUMBER", "regex"): 1, ("NAME", "context_sources"): 1}),
    "chain in when": (when("keep", CHAIN), 2, 0, {("NUMBER", "regex"): 2, ("NAME", "context_sources"): 1}),
    "concat": ({"mask": "concat", "masks": [NUMBERS, NUMBERS]}, 6, 2, {("NUMBER", "regex"): 6}),
    "regex": ({"mask": "regex", "regex": "or .*", "masks": [NUMBERS]}, 1, 0, {("NUMBER", "regex"): 2}),
    "by_columns, bound anew": (
        {"mask": "by_columns", "columns": ["ward"], "masks": [ANEW]},
        3,
        1,
        {("NAME", "context_sources"): 2},
    ),
    "by_columns": (
        {"mask": "by_columns", "columns": ["ward"], "masks": [CHAIN]},
        6,
        2,
        {("NAME", "context_sources"): 2, ("NUMBER", "regex"): 3},
    ),
}


@pytest.mark.parametrize("name", WITHIN)
def test_the_certificate_and_the_command_count_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBMASK_KEY", "a key of sixteen characters")
    mask, texts, without, spans = WITHIN[name]
    with closing(sqlite3.connect("a.db")) as db, db:
        db.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, name TEXT, ward TEXT, note TEXT)")
        db.executemany("INSERT INTO visit VALUES (?, ?, ?, ?)", ROWS)
    columns = {"note": mask, "name": "first_name", "*": "keep"}
    Path("p.json").write_text(json.dumps({"version": 1, "tables": {"visit": {"columns": columns}}}), "utf-8")
    clone = ["clone", "p.json", "--source", "sqlite:///a.db", "--target", "sqlite:///b.db", "--certificate", "c.json"]
    assert run([*clone, "--quiet"]) == 0
    said = capsys.readouterr().out
    (table,) = json.loads(Path("c.json").read_text("utf-8"))["tables"]
    found = {c["column"]: c["found"] for c in table["columns"] if "found" in c}
    assert list(found) == ["note"]
    assert {(s["label"], s["matcher"]): s["count"] for s in found["note"]["spans"]} == spans
    assert (found["note"]["texts"], found["note"]["without_findings"]) == (texts, without)
    assert len(found["note"]["rows_without_findings"]) == without
    by = ", ".join(f"{label} by {matcher}: {count}" for (label, matcher), count in sorted(spans.items()))
    assert f"visit.note: {texts} texts, {by}" in said
    shutil.copy("a.db", "copy.db")
    assert run(["apply", "p.json", "--target", "sqlite:///copy.db", "--database", "copy.db", "--quiet"]) == 0
    assert f"visit.note: {texts} texts, {by}" in capsys.readouterr().out


def test_rules_over_records_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [{"visit": {"note": "at 12 and 34"}}, {"visit": {"note": "no"}}, {"visit": {"note": None}}, {"visit": {}}]
    Path("a.json").write_text(json.dumps(records), "utf-8")
    Path("r.json").write_text(json.dumps({"visit.note": {"mask": "chain", "masks": [NUMBERS, "keep"]}}), "utf-8")
    assert run(["mask", "--rules", "r.json", "--input", "a.json", "--output", "b.jsonl"]) == 0
    said = capsys.readouterr().err
    assert "visit.note: 2 texts, NUMBER by regex: 2" in said
    assert "visit.note: nothing was found in 1 texts: text 2" in said


def test_masks_without_texts_have_no_report() -> None:
    note, ward = (Column(name, ColumnType(Kind.TEXT, "text")) for name in ("note", "ward"))
    columns = Columns((note,), {"note": note, "ward": ward}, table="visit")
    for spec in ({"mask": "chain", "masks": ["redact", "keep"]}, when("keep", "redact"), "redact"):
        assert report_of(build_mask(spec).bind(columns, example_keys())) is None
