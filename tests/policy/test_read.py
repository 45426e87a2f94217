"""Finding, decoding and filling in: what happens to a policy's text before its sections are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbmask.errors import PolicyError
from dbmask.policy import Policy
from dbmask.policy.document import Document
from dbmask.policy.read import from_data, parse, read

ENVIRON = {"SCHEMA": "hr", "DAY": "2024-01-01", "X": "x"}


def filled(text: str) -> Document:
    return parse(text, "yaml", "p.yaml", ENVIRON)


def said(document: Document) -> list[str]:
    return [str(p) for p in document.problems]


def test_values_and_names_of_tables_and_columns_are_filled_in() -> None:
    document = filled("""
tables:
  ${SCHEMA}.person:
    where: d > '${DAY}' and s = '$1' and t = '${SCHEMA}'
    columns:
      ${X}:
      y: readct
jobs: [{at: "${DAY}"}]
""")
    assert document.data == {
        "tables": {
            "hr.person": {
                "where": "d > '2024-01-01' and s = '$1' and t = 'hr'",
                "columns": {"x": None, "y": "readct"},
            }
        },
        "jobs": [{"at": "2024-01-01"}],
    }
    assert document.where(("tables", "hr.person", "columns", "x")) == "p.yaml:6"
    assert document.missing(("tables", "hr.person", "columns", "x")) == [("tables", "hr.person", "columns", "x")]
    assert said(document) == []


def test_keys_inside_masks_are_left_alone_and_their_values_are_not() -> None:
    mask = {"mask": "json", "paths": {"$.${X}": "${X}"}, "pattern": r"^a{2}${1}$"}
    data = {
        "classes": {"${X}": mask},
        "tables": {"t": {"columns": {"c": mask}, "anonymizer": {"${X}": "${X}"}}},
    }
    made = {"mask": "json", "paths": {"$.${X}": "x"}, "pattern": r"^a{2}${1}$"}
    assert from_data(data, environ=ENVIRON).data == {
        "classes": {"x": made},
        "tables": {"t": {"columns": {"c": made}, "anonymizer": {"${X}": "x"}}},
    }


def test_the_place_of_the_key_is_left_alone() -> None:
    assert filled("key: env:${X}\njobs: {key: '${X}'}").data == {"key": "env:${X}", "jobs": {"key": "x"}}


def test_a_second_dollar_sign_writes_the_first() -> None:
    assert filled("a: $${X} ${X}").data == {"a": "${X} x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\na: ${NOT}", "p.yaml:2: the environment variable NOT is not set"),
        ("a: ${X:-no}", "p.yaml:1: `${...}` takes the name of an environment variable and nothing else"),
        ("tables: {x: keep, '${X}': skip}", "p.yaml:1: 'x' is given twice"),
    ],
)
def test_what_cannot_be_filled_in(text: str, message: str) -> None:
    assert said(filled(text)) == [message]


def test_an_empty_variable_is_a_value() -> None:
    assert parse("a: '${E}'", "yaml", environ={"E": ""}).data == {"a": ""}


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBMASK_TEST_NAME", "found")
    (tmp_path / "p.yml").write_text("a: ${DBMASK_TEST_NAME}", "utf-8")
    assert read(tmp_path / "p.yml").data == {"a": "found"}


def test_plain_data_has_paths_for_places() -> None:
    document = from_data({"tables": {5: ({"a": "${NO}"},)}, "b": "${NO}"}, environ={})
    assert document.data == {"tables": {"5": [{"a": ""}]}, "b": ""}
    assert said(document) == [
        "tables.5.0.a: the environment variable NO is not set",
        "b: the environment variable NO is not set",
    ]
    assert document.where() == "policy"
    named = from_data({"${X}": 1}, "made", ENVIRON)
    assert (named.data, named.where(("x",))) == ({"x": 1}, "made: x")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.ini", b"", "is no policy file by its name (use .yaml, .json or .toml)"),
        ("p.yaml", b"\xff\xfe", "is not UTF-8 at byte 0"),
        ("p.yaml", None, "cannot be read: No such file"),
        ("p\0.yaml", None, "cannot be read: it is no file name"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PolicyError) as error:
        read(tmp_path / name)
    assert message in str(error.value)


@pytest.mark.parametrize(("form", "text"), [("yaml", "a: 1"), ("json", '{"a": 1}'), ("toml", "a = 1")])
def test_a_byte_order_mark_is_no_part_of_the_policy(tmp_path: Path, form: str, text: str) -> None:
    (tmp_path / f"p.{form}").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(tmp_path / f"p.{form}").data == {"a": 1}
    assert parse("\ufeff" + text, form).data == {"a": 1}


def test_an_unknown_format() -> None:
    with pytest.raises(PolicyError, match=r"there is no format 'tmol' \(did you mean toml\?\)"):
        Policy.from_text("", "tmol")


@pytest.mark.parametrize("data", [{"version": 1, "tables": {"a": "keep"}}])
def test_policies_from_data(data: dict[str, Any]) -> None:
    assert Policy.from_dict(data).tables[0].name == "a"
    with pytest.raises(PolicyError) as error:
        Policy.from_dict({**data, "tabels": {}, "tables": {"a": {"columns": {"b": "readct"}}}})
    assert [p.where for p in error.value.problems] == ["tabels", "tables.a.columns.b"]
