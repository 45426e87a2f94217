"""The mask ``text`` on the contract of masks: in plans, in clones, and what does not fit."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbmask.cloner import clone
from dbmask.errors import BindError, MaskError, PlanError
from dbmask.keys import KeyRing
from dbmask.masks.base import Columns
from dbmask.masks.build import build_mask, example_keys
from dbmask.policy import Policy
from dbmask.registry import mask_class
from dbmask.schema import Column, ColumnType, Kind
from dbmask.text.mask import Text
from tests.schemas import TEXT, varchar

POLICY = """version: 1
tables:
  patient:
    columns:
      id: keep
      first_name: first_name
      note:
        mask: text
        matchers:
          context_sources:
            - {label: NAME, column: first_name}
          regex:
            - {label: PHONE, pattern: '\\d{3}-\\d{4}'}
        masks:
          - {label: NAME, masks: [first_name]}
          - {label: PHONE, masks: [redact]}
"""
NOTES = [
    (1, "Sarah", "SARAH called from 555-1234"),
    (2, "Tom", "Tom and Tom"),
    (3, None, "nobody here"),
    (4, "Ann", None),
    (5, "Bob", ""),
]


def make(path: Path, notes: list[tuple[Any, ...]] = NOTES) -> str:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE patient (id INTEGER PRIMARY KEY, first_name TEXT, note TEXT)")
        db.executemany("INSERT INTO patient VALUES (?, ?, ?)", notes)
    return f"sqlite:///{path}"


def read(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT id, first_name, note FROM patient ORDER BY id").fetchall()


def test_a_clone_masks_notes_as_it_masks_the_rows_other_columns(tmp_path: Path) -> None:
    source = make(tmp_path / "a.db")
    certificate = tmp_path / "c.json"
    clone(
        Policy.from_text(POLICY, "yaml"),
        source,
        f"sqlite:///{tmp_path / 'b.db'}",
        keys=example_keys(),
        certificate=certificate,
    )
    rows = read(tmp_path / "b.db")
    sarah, tom = rows[0][1], rows[1][1]
    assert rows[0][2] == f"{sarah.upper()} called from ********"
    assert rows[1][2] == f"{tom} and {tom}"
    assert [r[2] for r in rows[2:]] == ["nobody here", None, ""]
    columns = json.loads(certificate.read_text("utf-8"))["tables"][0]["columns"]
    found = next(c["found"] for c in columns if c["column"] == "note")
    assert found["texts"] == 3 and found["without_findings"] == 1
    assert found["spans"] == [
        {"label": "NAME", "matcher": "context_sources", "count": 3},
        {"label": "PHONE", "matcher": "regex", "count": 1},
    ]
    assert [name[:4] for name in found["rows_without_findings"]] == ["row "]
    assert "nobody" not in certificate.read_text("utf-8")


def test_seed_files_are_looked_for_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "words.csv").write_text("word\ncalled\n")
    text = POLICY.replace(
        "          regex:", "          seed_files:\n            - {label: W, seed_file: words.csv}\n          regex:"
    )
    text += "          - {label: W, masks: [redact]}\n"
    (tmp_path / "sub" / "policy.yaml").write_text(text)
    source = make(tmp_path / "a.db")
    policy = Policy.load(tmp_path / "sub" / "policy.yaml")
    clone(policy, source, f"sqlite:///{tmp_path / 'b.db'}", keys=example_keys())
    assert "****** from" in read(tmp_path / "b.db")[0][2]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("column: first_name}", "column: firstname}", "firstname.*did you mean first_name"),
        ("column: first_name}", "column: note}", "the text's own column"),
        ("'\\d{3}-\\d{4}'", "'(?=x)'", "engine: re"),
        ("masks: [redact]", "masks: ['null']", "cannot mask a part"),
    ],
)
def test_what_does_not_fit_the_table_is_a_problem_of_the_plan(tmp_path: Path, old: str, new: str, says: str) -> None:
    source = make(tmp_path / "a.db")
    assert old in POLICY
    policy = Policy.from_text(POLICY.replace(old, new), "yaml")
    with pytest.raises(PlanError, match=says):
        clone(policy, source, f"sqlite:///{tmp_path / 'b.db'}", keys=example_keys())
    assert not (tmp_path / "b.db").exists()


def test_a_text_that_cannot_be_masked_ends_the_clone_and_is_not_shown(tmp_path: Path) -> None:
    slow = POLICY.replace("pattern: '\\d{3}-\\d{4}'", "pattern: '(a+)+$', engine: re, time_limit: 0.2")
    source = make(tmp_path / "a.db", [(1, "Tom", "a" * 40 + "b"), (2, "Ann", "secret")])
    with pytest.raises(MaskError) as caught:
        clone(Policy.from_text(slow, "yaml"), source, f"sqlite:///{tmp_path / 'b.db'}", keys=example_keys())
    message = str(caught.value)
    assert "patient.note, row " in message and "aaaa" not in message and "secret" not in message
    assert not (tmp_path / "b.db").exists()


def text_mask(**more: Any) -> Text:
    made = build_mask(
        {
            "mask": "text",
            "matchers": {"regex": [{"label": "N", "pattern": r"\d+"}]},
            "masks": [{"label": "N", "masks": [{"type": "fixed", "value": "[NUMBER]"}]}],
            **more,
        }
    )
    assert isinstance(made, Text)
    return made


def bind(type_: ColumnType, **more: Any) -> Any:
    return text_mask(**more).bind(Columns((Column("note", type_),), table="t"), KeyRing(None))


def test_it_is_found_by_its_names() -> None:
    assert mask_class("text") is Text and mask_class("unstructured_text") is Text


@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.DATE, Kind.JSON, Kind.BYTES])
def test_it_stands_on_texts_only(kind: Kind) -> None:
    with pytest.raises(BindError, match="masks parts of texts"):
        bind(ColumnType(kind, kind.value))


def test_promises() -> None:
    promises = bind(varchar(20)).promises
    assert promises.type == varchar(20) and promises.value_only
    assert not (promises.injective or promises.total or promises.keyed)
    context = build_mask(
        {
            "mask": "text",
            "matchers": {"context_sources": [{"label": "N", "column": "name"}]},
            "masks": [{"label": "N", "masks": ["hash"]}],
        }
    )
    name = Column("name", TEXT)
    bound = context.bind(Columns((Column("note", TEXT),), {"name": name}, table="t"), example_keys())
    assert bound.inputs == ("note", "name") and not bound.promises.value_only and bound.promises.keyed
    assert bound.sql([], None) is None  # type: ignore[arg-type]


def test_nulls_empty_texts_and_bytes() -> None:
    assert bind(TEXT).apply([[None, "", "a1", b"b2\xff"]]) == [[None, "", "a[NUMBER]", "b[NUMBER]\udcff"]]
    assert bind(TEXT).apply([[None]]) == [[None]]
    with pytest.raises(MaskError, match="no text"):
        bind(TEXT).apply([[1]])


def test_a_result_that_is_too_long_for_the_column_is_replaced_or_fails() -> None:
    with pytest.raises(MaskError, match="longer than the column's 6 characters"):
        bind(varchar(6)).apply([["a1"]])
    assert bind(varchar(6), fallback_masks=["redact"]).apply([["a1"]]) == [["**"]]
    with pytest.raises(BindError, match="15 characters"):
        bind(varchar(6), fallback_masks=[{"type": "fixed", "value": "longer than six"}])


def test_the_documented_cases() -> None:
    for case in Text.cases:
        mask = build_mask({"mask": "text", **case.params})
        beside = {name: Column(name, TEXT) for name in case.row}
        bound = mask.bind(Columns((Column("note", TEXT),), beside, table="t"), example_keys())
        values: dict[str, Any] = {"note": case.given, **case.row}
        assert bound.apply([[values[name]] for name in bound.inputs]) == [[case.expected]]


def test_the_padding_of_fixed_length_columns_is_no_text() -> None:
    padded = ColumnType(Kind.TEXT, "char(12)", length=12, padded=True)
    assert bind(padded).apply([["a1          ", "            "]]) == [["a[NUMBER]", ""]]


def test_texts_inside_json_documents() -> None:
    spec = {
        "mask": "text",
        "matchers": {"context_sources": [{"label": "N", "column": "name"}]},
        "masks": [{"label": "N", "masks": ["redact"]}],
    }
    mask = build_mask({"mask": "json", "paths": {"$.notes[*].body": spec}})
    document = ColumnType(Kind.JSON, "jsonb")
    bound = mask.bind(Columns((Column("doc", document),), {"name": Column("name", TEXT)}, table="t"), example_keys())
    rows = {"doc": '{"notes": [{"body": "Tom and Ann"}, {"body": null}], "id": 1}', "name": "Tom"}
    made = bound.apply([[rows[n]] for n in bound.inputs])[0][0]
    assert json.loads(made) == {"notes": [{"body": "*** and Ann"}, {"body": None}], "id": 1}


def test_texts_inside_chains_and_conditions() -> None:
    inner = {
        "mask": "text",
        "matchers": {"regex": [{"label": "N", "pattern": "[0-9]+"}]},
        "masks": [{"label": "N", "masks": ["redact"]}],
    }
    chain = build_mask({"mask": "chain", "masks": [inner, {"mask": "case", "transform": "uppercase"}]})
    assert chain.bind(Columns((Column("note", TEXT),), table="t"), KeyRing(None)).apply([["a 12"]]) == [["A **"]]
