"""The mask ``json`` on objects and arrays of JSON files: they leave as what they are, texts that hold JSON as texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dbmask import Policy
from dbmask.files import FileJob, mask_file
from tests.files.helpers import KEYS, rows_of, run

_LINES = """{"id": 1, "doc": {"name": "Jana", "price": 1.50, "big": 12345678901234567890123, "in": [{"name": "Bo"}]}, \
"text": "{\\"name\\": \\"x\\"}"}
{"id": 2, "doc": [{"name": "Ž"}], "text": null}
{"id": 3}
{"id": 4, "doc": null, "text": "{}"}
{"id": 5, "doc": "{\\"name\\": \\"Eva\\"}"}
"""
_MASKED = [
    '{"id": 1, "doc": {"name": "****", "price": 1.50, "big": 12345678901234567890123, "in": [{"name": "**"}]}, '
    '"text": "{\\"name\\": \\"*\\"}"}',
    '{"id": 2, "doc": [{"name": "*"}], "text": null}',
    '{"id": 3}',
    '{"id": 4, "doc": null, "text": "{}"}',
    '{"id": 5, "doc": "{\\"name\\": \\"***\\"}"}',
]
_NAMES = {"mask": "json", "paths": {"$..name": "redact"}}


def _policy(**columns: Any) -> Policy:
    return Policy.from_dict({"version": 1, "tables": {"in": {"columns": {**columns, "*": "keep"}}}})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text(_LINES, "utf-8")
    return path


def test_by_a_policy(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    mask_file(FileJob(_policy(doc=_NAMES, text=_NAMES), KEYS, source=str(source), target=str(target)))
    assert target.read_text("utf-8").splitlines() == _MASKED
    mask_file(FileJob(_policy(doc=_NAMES, text=_NAMES), KEYS, source=str(source), target=str(tmp_path / "out.csv")))
    assert rows_of(tmp_path / "out.csv")[2] == ["2", '[{"name": "*"}]', ""]


def test_by_rules(source: Path, tmp_path: Path) -> None:
    run({"doc": _NAMES, "text": _NAMES, "id": "keep"}, source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text("utf-8").splitlines() == _MASKED


def test_masks_that_choose_give_documents_too_and_masks_of_texts_give_texts(source: Path, tmp_path: Path) -> None:
    chosen = {"mask": "when", "if": {"column": "id", "less_than": 2}, "then": _NAMES, "else": "keep"}
    for mask, doc in ((chosen, [{"name": "Ž"}]), ("redact", "*" * len('[{"name": "Ž"}]')), ("null", None)):
        target = tmp_path / "out.jsonl"
        mask_file(FileJob(_policy(doc=mask), KEYS, source=str(source), target=str(target)))
        assert json.loads(target.read_text("utf-8").splitlines()[1])["doc"] == doc


def test_what_is_no_document_any_more_stays_a_text(source: Path, tmp_path: Path) -> None:
    """A text of another row may come to where an object was."""
    source.write_text('{"doc": {"a": 1}}\n{"doc": "no JSON"}\n', "utf-8")
    target = tmp_path / "out.jsonl"
    mask_file(FileJob(_policy(doc="shuffle"), KEYS, source=str(source), target=str(target)))
    made = [json.loads(line)["doc"] for line in target.read_text("utf-8").splitlines()]
    assert made in ([{"a": 1}, "no JSON"], ["no JSON", '{"a": 1}'])


def test_structs_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    with duckdb.connect() as db:
        db.execute(f"COPY (SELECT {{'name': 'Jana', 'n': 1}} AS doc) TO '{path}' (FORMAT parquet)")
    run({"doc": _NAMES}, path, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text("utf-8") == '{"doc": {"name": "****", "n": 1}}\n'
