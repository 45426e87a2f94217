"""Values of the row that stand within JSON documents: `column` as a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbmask import Policy
from dbmask.cloner import clone
from dbmask.errors import BindError, MaskError, PlanError
from dbmask.files import FileJob, mask_file
from dbmask.masks.base import Columns
from dbmask.masks.build import example_keys
from dbmask.schema import Column, ColumnType, Kind
from dbmask.text.beside import beside
from tests.text.test_databases import ask

TEXT, JSON, INTEGER = (
    ColumnType(kind, name) for kind, name in ((Kind.TEXT, "text"), (Kind.JSON, "json"), (Kind.INTEGER, "integer"))
)
COLUMNS = {c.name: c for c in (Column("note", TEXT), Column("a", JSON), Column("n", INTEGER), Column("b.c", TEXT))}
HERE = Columns((COLUMNS["note"],), COLUMNS)


def policy(column: str, on_note: dict[str, Any] | None = None, patient: Any = None) -> Policy:
    note = {
        "mask": "text",
        "matchers": {"context_sources": [{"label": "NAME", "column": column}]},
        "masks": [{"label": "NAME", "masks": ["redact"]}],
        **(on_note or {}),
    }
    columns = {"id": "keep", "patient": patient or {"mask": "json", "paths": {"$..name": "redact"}}, "note": note}
    return Policy.from_dict({"version": 1, "tables": {"visit": {"columns": columns}}}, "policy.yaml")


@pytest.mark.parametrize(
    ("name", "value", "texts"),
    [
        ("a.b", '{"b": "Tom"}', ["Tom"]),
        ("$.a.b", {"b": "Tom"}, ["Tom"]),
        ("a.b[*].c", '{"b": [{"c": "x"}, {"c": 1.50}, {"c": null}, {"c": {}}, {}]}', ["x", "1.50"]),
        ("a.b", "{}", []),
        ("b.c", "Tom", ["Tom"]),
        ("n", 7, ["7"]),
    ],
)
def test_what_a_name_leads_to(name: str, value: object, texts: list[str]) -> None:
    assert list(beside(name, HERE, "column").texts(value)) == texts


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("note", "the text's own column"),
        ("note.x", "holds no JSON documents"),
        ("n.x", "holds no JSON documents"),
        ("z.x", "does not have"),
        ("a.b[", "path"),
    ],
)
def test_names_that_lead_nowhere(name: str, says: str) -> None:
    with pytest.raises(BindError, match=says):
        beside(name, HERE, "column")


def test_in_files_of_json(tmp_path: Path) -> None:
    source, target = tmp_path / "visit.jsonl", tmp_path / "out.jsonl"
    source.write_text(
        '{"id": 1, "patient": {"name": "Tom"}, "note": "Tom came"}\n{"id": 2, "patient": {"name": "Ann"}, "note": "Tom"}\n'
        '{"id": 3, "note": "Tom"}\n'
    )
    mask_file(FileJob(policy("patient.name"), example_keys(), source=str(source), target=str(target)))
    lines = target.read_text().splitlines()
    assert ['"note": "*** came"' in lines[0], '"note": "Tom"' in lines[1], '"note": "Tom"' in lines[2]] == [True] * 3


def test_in_a_database(tmp_path: Path) -> None:
    source, target = (f"sqlite:///{tmp_path}/{name}.db" for name in ("source", "replica"))
    ask(source, "CREATE TABLE visit (id INTEGER PRIMARY KEY, patient TEXT, note TEXT)")
    ask(source, """INSERT INTO visit VALUES (1, '{"name": "Tom"}', 'TOM came'), (2, NULL, 'Tom')""")
    clone(policy("patient.name"), source, target, keys=example_keys())
    assert ask(target, "SELECT note FROM visit ORDER BY id") == [("*** came",), ("Tom",)]
    with pytest.raises(PlanError, match="did you mean patient"):
        clone(policy("patint.name"), source, target, keys=example_keys(), overwrite=True)


def test_what_is_no_document_lets_no_text_through(tmp_path: Path) -> None:
    source, target = (f"sqlite:///{tmp_path}/{name}.db" for name in ("source", "replica"))
    ask(source, "CREATE TABLE visit (id INTEGER PRIMARY KEY, patient TEXT, note TEXT)")
    ask(source, "INSERT INTO visit VALUES (1, 'Tom', 'Tom came')")
    for more, ends in ({"fallback_masks": [{"type": "fixed", "value": "gone"}]}, "gone"), ({}, None):
        made = policy("patient.name", more, patient="keep")
        if ends is None:
            with pytest.raises(MaskError, match="context_sources failed: JSONDecodeError"):
                clone(made, source, target, keys=example_keys(), overwrite=True)
        else:
            clone(made, source, target, keys=example_keys())
            assert ask(target, "SELECT note FROM visit") == [(ends,)]
