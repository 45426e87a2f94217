"""JSON and JSON Lines through rules: numbers as written, order and gaps as they were, errors by line, any format out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbmask.errors import MaskError
from dbmask.files.problems import InputError
from tests.files.helpers import left_in, rows_of, run

_LINES = """{"id": 1, "price": 1.50, "big": 12345678901234567890123, "z": -0, "e": 1E5, "user": {"email": "a@x.org", "n": null}}
{"user": {"n": true, "email": "b@x.org", "tags": ["x", 2.50]}, "id": "007"}

{"id": null, "extra": "ěšč \\u0041"}
"""


def _file(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_untouched_values_stay_as_they_were_written(tmp_path: Path) -> None:
    source = _file(tmp_path, _LINES, "in.jsonl")
    result = run({"user.email": {"strategy": "redact", "keep_end": 4}}, source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text("utf-8").splitlines() == [
        '{"id": 1, "price": 1.50, "big": 12345678901234567890123, "z": -0, "e": 1E5, '
        '"user": {"email": "***.org", "n": null}}',
        '{"user": {"n": true, "email": "***.org", "tags": ["x", 2.50]}, "id": "007"}',
        '{"id": null, "extra": "ěšč A"}',
    ]
    assert result.rows == 3
    assert set(result.unruled) == {"id", "price", "big", "z", "e", "user.n", "user.tags", "extra"}


def test_an_array_an_object_and_the_empty_array(tmp_path: Path) -> None:
    records = [{"a": i, "note": "x" * 50_000, "deep": [{"a": [1, {"b": "s"}]}]} for i in range(7)]
    source = _file(tmp_path, "\ufeff" + json.dumps(records, indent=2), "in.json")
    run({"deep.a.b": "redact", "a": "drop"}, source, tmp_path / "out.json")
    made = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert made == [{"note": r["note"], "deep": [{"a": [1, {"b": "*"}]}]} for r in records]
    run({"a": "hash"}, _file(tmp_path, '{"a": 1}', "one.json"), tmp_path / "one_out.json")
    assert isinstance(json.loads((tmp_path / "one_out.json").read_text("utf-8")), dict)
    run({"a": "hash"}, _file(tmp_path, " [ ] ", "none.json"), tmp_path / "none_out.json")
    assert json.loads((tmp_path / "none_out.json").read_text("utf-8")) == []


def test_limit_stops_reading(tmp_path: Path) -> None:
    source = _file(tmp_path, '[{"a": 1},\n{"a": 2},\nbroken', "in.json")
    assert run({"a": "keep"}, source, tmp_path / "out.json", limit=2).rows == 2
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("in.jsonl", '{"a": 1}\n\n{"a": secret}\n', "in.jsonl:3: is not JSON"),
        ("in.jsonl", '{"a": 1}\n[1]\n', "in.jsonl:2: is no record"),
        ("in.jsonl", '{"a": 1, "a": 2}\n', "in.jsonl:1: an object has the same key twice"),
        ("in.jsonl", '{"a": NaN}\n', "in.jsonl:1: is not JSON"),
        ("in.json", '[{"a": 1},\n {"a": 2},\n 3]', "in.json:3: is no record"),
        ("in.json", '[{"a": 1},\n {"a": secret}]', "in.json:2: is not JSON"),
        ("in.json", '[{"a": 1}\n {"a": 2}]', "in.json:2: is not JSON"),
        ("in.json", '{"a": 1}\n{"a": 2}\n', "in.json:2: is not JSON: text follows its end"),
        ("in.json", '[{"a": 1}', "in.json:1: is not JSON"),
        ("in.json", "  ", "in.json is empty"),
    ],
)
def test_what_is_no_json(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        run({"a": "hash"}, _file(tmp_path, text, name), tmp_path / "out.json")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert left_in(tmp_path) == {name}


def test_a_value_that_cannot_be_masked_is_named_by_line_and_field(tmp_path: Path) -> None:
    source = _file(tmp_path, '{"u": {"n": 1}}\n{"u": {"n": "SSN-1"}}\n', "in.jsonl")
    with pytest.raises(MaskError) as caught:
        run({"u.n": {"strategy": "noise", "sigma": 1}}, source, tmp_path / "out.jsonl")
    assert "in.jsonl:2: field 'u.n': noise needs a number" in str(caught.value)
    assert "SSN" not in str(caught.value)
    assert left_in(tmp_path) == {"in.jsonl"}


def test_a_rule_that_matched_nothing_leaves_no_output(tmp_path: Path) -> None:
    source = _file(tmp_path, '{"u": {"n": 1}}\n', "in.jsonl")
    with pytest.raises(MaskError, match=r"a rule matched no field: u\.m"):
        run({"u.m": "hash"}, source, tmp_path / "out.jsonl")
    assert left_in(tmp_path) == {"in.jsonl"}


@pytest.mark.parametrize(
    ("rules", "given", "wanted"),
    [
        ({"a.b": "redact"}, {"a.b": "xx", "a": {"b": "yy"}}, {"a.b": "**", "a": {"b": "**"}}),
        ({"a": "keep", "a.b": "drop"}, {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        ({"a": "drop", "a.b": "hash"}, {"a": {"b": 1}, "c": 1}, {"c": 1}),
        ({"l.e": "redact"}, {"l": [[{"e": "ab"}], {"e": "c"}, 3]}, {"l": [[{"e": "**"}], {"e": "*"}, 3]}),
        ({"a.b.c": "redact"}, {"a.b": {"c": "x"}, "a": [{"b.c": "yy"}]}, {"a.b": {"c": "*"}, "a": [{"b.c": "**"}]}),
        ({"s": "drop"}, {"s": {"deep": [1]}, "t": []}, {"t": []}),
    ],
)
def test_paths(tmp_path: Path, rules: dict[str, Any], given: dict[str, Any], wanted: dict[str, Any]) -> None:
    run(rules, _file(tmp_path, json.dumps(given), "in.json"), tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == wanted


def test_into_csv_all_fields_of_all_records_become_columns(tmp_path: Path) -> None:
    run({"id": "keep"}, _file(tmp_path, _LINES, "in.jsonl"), tmp_path / "out.csv")
    assert rows_of(tmp_path / "out.csv") == [
        ["id", "price", "big", "z", "e", "user", "extra"],
        ["1", "1.50", "12345678901234567890123", "-0", "1E5", '{"email": "a@x.org", "n": null}', ""],
        ["007", "", "", "", "", '{"n": true, "email": "b@x.org", "tags": ["x", 2.50]}', ""],
        ["", "", "", "", "", "", "ěšč A"],
    ]


def test_from_csv_every_value_is_a_text(tmp_path: Path) -> None:
    source = _file(tmp_path, "id,n\n007,1.50\n8,\n", "in.csv")
    run({"id": "keep"}, source, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == [{"id": "007", "n": "1.50"}, {"id": "8", "n": ""}]
    run({"id": "keep"}, source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text("utf-8").splitlines()[0] == '{"id": "007", "n": "1.50"}'


def test_the_same_key_gives_the_same_value_in_both_formats(tmp_path: Path) -> None:
    run({"e": "email"}, _file(tmp_path, '{"e": "a@x.org"}', "in.jsonl"), tmp_path / "1.csv")
    run({"e": "email"}, _file(tmp_path, "e\na@x.org\n", "in.csv"), tmp_path / "2.csv")
    assert rows_of(tmp_path / "1.csv") == rows_of(tmp_path / "2.csv")
