"""CSV through rules: every byte that no rule touches stays, errors name the line, and DuckDB's way gives what Python's gives."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbmask.errors import MaskError, UsageError
from dbmask.files import RulesError, copying
from dbmask.files import run as runs
from dbmask.files.problems import InputError
from tests.files.helpers import left_in, rows_of, run

_TUTORIAL = {
    "id": "hash",
    "name": "drop",
    "email": "drop",
    "phone": {"strategy": "redact", "char": "X", "keep_start": 0, "keep_end": 4},
    "region": "keep",
    "purchase_count": "keep",
}
_CUSTOMERS = b"""id,name,email,phone,region,purchase_count
1,Alice Johnson,alice@example.com,555-0101,US-CA,42
2,Bob Smith,bob@example.com,555-0102,US-NY,15
3,Carol White,carol@example.com,555-0103,US-TX,87
"""
_MASKED = b"""id,phone,region,purchase_count
6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b,XXXX0101,US-CA,42
d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35,XXXX0102,US-NY,15
4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce,XXXX0103,US-TX,87
"""


@pytest.fixture(params=["python", "duckdb"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of reading a CSV, whatever its size."""
    monkeypatch.setattr(copying, "QUICK", 0 if request.param == "duckdb" else 1 << 60)
    return str(request.param)


def _file(folder: Path, data: bytes, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_the_tutorials_first_run(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, _CUSTOMERS)
    result = run(_TUTORIAL, source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == _MASKED
    assert result.rows == 3
    assert result.unruled == ()
    assert left_in(tmp_path) == {"in.csv", "out.csv"}


def test_duckdb_takes_its_way_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "QUICK", 0)

    def not_here(*_: Any) -> int:
        raise AssertionError("Python's way was taken")

    monkeypatch.setattr(runs, "by_batches", not_here)
    assert run(_TUTORIAL, _file(tmp_path, _CUSTOMERS), tmp_path / "out.csv").rows == 3
    crlf = _file(tmp_path, _CUSTOMERS.replace(b"\n", b"\r\n"), "crlf.csv")
    assert run(_TUTORIAL, crlf, tmp_path / "out2.csv").rows == 3
    assert (tmp_path / "out2.csv").read_bytes() == _MASKED.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_untouched_fields_and_line_ends_stay(tmp_path: Path, way: str, newline: str) -> None:
    header = ["id", "a", "b", "c", "d", "e", "f"]
    rows = [
        ["1", "007", "1.50", "  two spaces", 'say "hi"', "line\nbreak", ""],
        ["2", "1e5", "", "trailing  ", "a,b", "x", "NULL"],
        ["3", "true", "-0", "Žluťoučký 🐎", "'", "\\", "#no comment"],
    ]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=newline).writerows([header, *rows])
    source = _file(tmp_path, text.getvalue().encode())
    result = run({"id": "hash"}, source, tmp_path / "out.csv")
    made = rows_of(tmp_path / "out.csv")
    assert made[0] == header
    assert [r[1:] for r in made[1:]] == [r[1:] for r in rows]
    assert result.unruled == tuple(header[1:])
    ends = (tmp_path / "out.csv").read_bytes()
    assert ends.count(b"\r\n") == (4 if newline == "\r\n" else 0)


def test_a_byte_order_mark_hides_no_field(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, b"\xef\xbb\xbf" + _CUSTOMERS)
    run(_TUTORIAL, source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == _MASKED


def test_header_alone_gives_header_alone(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, _CUSTOMERS.splitlines(keepends=True)[0])
    assert run(_TUTORIAL, source, tmp_path / "out.csv").rows == 0
    assert (tmp_path / "out.csv").read_bytes() == _MASKED.splitlines(keepends=True)[0]


def test_other_delimiters_and_encodings(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, "město;číslo\nČeské Budějovice;12\n".encode("cp1250"))
    run({"číslo": "redact"}, source, tmp_path / "out.csv", delimiter=";", encoding="cp1250")
    assert (tmp_path / "out.csv").read_bytes() == "město;číslo\nČeské Budějovice;**\n".encode("cp1250")
    tabs = _file(tmp_path, b"a\tb\n1\t2\n", "in.tsv")
    run({"a": "redact"}, tabs, tmp_path / "out.tsv")
    assert (tmp_path / "out.tsv").read_bytes() == b"a\tb\n*\t2\n"


def test_short_rows_have_nulls_and_surplus_cells_are_errors(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, b"a,b\n1,2\n3\n")
    run({"b": "hash"}, source, tmp_path / "out.csv")
    assert rows_of(tmp_path / "out.csv")[2] == ["3", ""]
    source = _file(tmp_path, b'a,b\n1,"2\n2"\n3,4,5\n')
    with pytest.raises(InputError, match=r"in\.csv:4: has 3 fields, and the header has 2"):
        run({"b": "hash"}, source, tmp_path / "other.csv")
    assert "other.csv" not in left_in(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"a,a\n1,2\n", ":1: the header names 'a' twice"),
        (b'a,b\n1,"2\n', "is not CSV"),
        (b'a,b\n1,2\n1,"2"x\n', ":3: is not CSV"),
        (b"a,b\n1,\xff\n", "is not utf-8"),
    ],
)
def test_what_is_no_csv(tmp_path: Path, way: str, data: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        run({"a": "hash"}, _file(tmp_path, data), tmp_path / "out.csv")
    assert said in str(caught.value)
    assert left_in(tmp_path) == {"in.csv"}


def test_noise_names_the_line_and_not_the_value(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, b"id,n\n1,10\n2,SSN-123\n3,12\n")
    with pytest.raises(MaskError) as caught:
        run({"n": {"strategy": "noise", "sigma": 1}}, source, tmp_path / "out.csv")
    assert "in.csv:3: field 'n': noise needs a number" in str(caught.value)
    assert "SSN-123" not in str(caught.value)
    assert left_in(tmp_path) == {"in.csv"}
    run({"n": {"strategy": "noise", "sigma": 1, "on_invalid": "null"}}, source, tmp_path / "out.csv")
    made = rows_of(tmp_path / "out.csv")
    assert made[2] == ["2", ""]
    assert float(made[1][1]) != 10


def test_the_input_may_be_the_output(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, _CUSTOMERS)
    run(_TUTORIAL, source, source)
    assert source.read_bytes() == _MASKED
    link = tmp_path / "link.csv"
    link.symlink_to(source)
    before = source.read_bytes()
    with pytest.raises(UsageError):  # a field that is gone
        run(_TUTORIAL, link, link)
    assert source.read_bytes() == before
    assert link.is_symlink()


def test_rules_without_a_field(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, _CUSTOMERS)
    with pytest.raises(UsageError, match="a rule matched no field: fone"):
        run({"fone": "hash"}, source, tmp_path / "out.csv")
    assert left_in(tmp_path) == {"in.csv"}
    result = run({"fone": "hash", "id": "hash"}, source, tmp_path / "out.csv", allow_missing=True)
    assert "fone" not in result.unruled


def test_fields_without_a_rule_under_strict(tmp_path: Path, way: str) -> None:
    with pytest.raises(UsageError, match="name, email, phone, region, purchase_count"):
        run({"id": "hash"}, _file(tmp_path, _CUSTOMERS), tmp_path / "out.csv", strict=True)
    assert left_in(tmp_path) == {"in.csv"}


def test_only_the_first_rows(tmp_path: Path, way: str) -> None:
    run(_TUTORIAL, _file(tmp_path, _CUSTOMERS), tmp_path / "out.csv", limit=2)
    assert (tmp_path / "out.csv").read_bytes() == b"".join(_MASKED.splitlines(keepends=True)[:3])


def test_all_default_is_a_warning(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, b"a,b,c\nx,1,\ny,2,\n")
    step = {"strategy": "generalize", "step": 10}
    result = run({"a": step, "b": step, "c": "keep"}, source, tmp_path / "out.csv")
    assert result.warnings == ("a: every value became the default",)


def test_a_column_left_alone_keeps_its_empty_rows(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, b'a,b\n1,x\n2,""\n3,y\n')
    run({"a": "drop"}, source, tmp_path / "out.csv")
    assert rows_of(tmp_path / "out.csv") == [["b"], ["x"], [""], ["y"]]
    with pytest.raises(UsageError, match="every column is dropped"):
        run({"a": "drop", "b": "drop"}, source, tmp_path / "none.csv")


def test_masks_of_policies_are_strategies_too(tmp_path: Path, way: str) -> None:
    source = _file(tmp_path, b"email,n\nalice@example.com,1\nalice@example.com,2\n")
    run({"email": {"strategy": "email", "host": "example.org"}, "n": "keep"}, source, tmp_path / "out.csv")
    made = rows_of(tmp_path / "out.csv")
    assert made[1][0] == made[2][0] != "alice@example.com"
    assert made[1][0].endswith("@example.org")


def test_rules_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    missing = tmp_path / "not_there.csv"
    for rule, said in [
        ({"strategy": "hash", "algo": "nope"}, "algo"),
        ({"strategy": "hash", "algo": "shake_128"}, "algo"),
        ({"strategy": "mask"}, "there is no strategy 'mask'"),
        ({"strategy": "redact", "chars": "x"}, "chars"),
        ({"strategy": "redact", "keep_end": -1}, "keep_end"),
        ({"strategy": "generalize", "step": 10, "bins": [1, 2]}, "step"),
        ({"strategy": "noise", "sigma": 1, "epsilon": 1}, "both"),
        ({"strategy": "noise", "epsilon": 1, "sensitivity": 1, "delta": 1}, "delta"),
    ]:
        with pytest.raises(RulesError) as caught:
            run({"a": rule}, missing, tmp_path / "out.csv")
        assert said in str(caught.value)


_CELL = st.one_of(
    st.sampled_from(
        ["", " ", '"', ",", "\n", "a,b", ' "x"', "12", "-7.5", "2024-02-29", "NULL", "1e3", "é", "日本", "x ,y", "a\rb"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
_RULES: dict[str, Any] = {
    "a": "hash",
    "b": {"strategy": "redact", "keep_start": 1, "keep_end": 2},
    "c": {"strategy": "generalize", "step": 10},
    "d": {"strategy": "generalize", "depth": 1},
    "e": {"strategy": "generalize", "method": "date_month"},
    "f": {"strategy": "hash", "algo": "sha512", "salt": "s"},
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[_CELL] * 7), min_size=1, max_size=8))
def test_both_ways_agree(tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(["abcdefg", *rows])
    source = _file(tmp_path, text.getvalue().encode())
    made = []
    for least in (0, 1 << 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(copying, "QUICK", least)
            run(_RULES, source, tmp_path / "out.csv")
        made.append(rows_of(tmp_path / "out.csv", strict=True))
    assert made[0] == made[1]
    assert [row[6] for row in made[0][1:]] == [row[6] for row in rows]
    assert [row[0] for row in made[0][1:]] == [hashlib.sha256(row[0].encode()).hexdigest() for row in rows]
