"""chain, concat, when, replace: what they hand on, what they promise, what they cut."""

from __future__ import annotations

from typing import Any

import pytest

from dbmask.errors import BindError
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python, one

TEXT = ColumnType(Kind.TEXT, "text")
SHORT = ColumnType(Kind.TEXT, "varchar(5)", length=5)
INT = ColumnType(Kind.INTEGER, "integer", bits=32)


def test_a_chain_promises_what_all_its_masks_do() -> None:
    assert bind({"mask": "chain", "masks": ["keep", "hash"]}, TEXT).promises.injective
    weak = bind({"mask": "chain", "masks": ["hash", {"mask": "substring", "end_index": 60}]}, TEXT).promises
    assert (weak.injective, weak.keyed, weak.unchanged, weak.type.length) == (False, True, 0.0, 60)


def test_only_the_last_result_of_a_chain_must_fit() -> None:
    spec = {"mask": "chain", "masks": ["hash", {"mask": "substring", "end_index": 5}]}
    assert len(one(spec, SHORT, "Alice")) == 5
    cut = bind({"mask": "chain", "masks": ["hash", "redact"]}, SHORT)
    assert in_python(cut, {"v": ["Alice"]}) == ["*****"]
    assert cut.promises.type.length == 5


def test_a_chain_may_pass_through_the_masked_value_of_another_column() -> None:
    spec = {"mask": "chain", "masks": [{"mask": "from_column", "source_column": "name"}, "hash"]}
    bound = bind(spec, TEXT, {"name": TEXT})
    assert in_python(bound, {"v": ["x"], "name": ["Al"]}) == [one("hash", TEXT, "Al")]
    assert bound.promises.warnings == ()
    assert bind({"mask": "from_column", "source_column": "name"}, TEXT, {"name": TEXT}).promises.warnings


def test_a_chain_must_end_in_the_columns_kind() -> None:
    with pytest.raises(BindError):
        bind({"mask": "chain", "masks": ["uuid", {"mask": "generalize", "step": 1, "method": "floor"}]}, INT)


@pytest.mark.parametrize(
    "spec",
    [
        {"mask": "chain", "masks": ["keep", "shuffle"]},
        {"mask": "concat", "masks": ["shuffle"]},
        {"mask": "when", "if": {"column": "v", "is_null": True}, "then": "shuffle", "else": "keep"},
        {"mask": "replace", "masks": ["shuffle"]},
        {"mask": "regex", "regex": "a", "masks": ["shuffle"]},
    ],
    ids=str,
)
def test_a_composite_runs_only_where_its_masks_may(spec: Any) -> None:
    assert build_mask(spec).profiles == build_mask("shuffle").profiles < build_mask("keep").profiles


def test_concat_leaves_nulls_out() -> None:
    def copy(name: str) -> dict[str, Any]:
        return {"mask": "from_column", "source_column": name}

    bound = bind({"mask": "concat", "masks": [copy("a"), copy("b")], "glue": " "}, TEXT, {"a": TEXT, "b": TEXT})
    rows: dict[str, list[Any]] = {"v": ["x"] * 4, "a": ["A", None, "A", None], "b": ["B", "B", None, None]}
    assert in_python(bound, rows) == ["A B", "B", "A", None]
    assert not bound.promises.injective


def test_when_is_value_only_where_it_reads_its_own_column_alone() -> None:
    own = {"mask": "when", "if": {"column": "v", "equals": "x"}, "then": "keep", "else": "hash"}
    other = {"mask": "when", "if": {"column": "a", "equals": "x"}, "then": "keep", "else": "hash"}
    assert bind(own, TEXT).promises.value_only
    assert not bind(other, TEXT, {"a": TEXT}).promises.value_only
    assert bind(own, TEXT).promises.unchanged == 1.0


def test_when_gives_each_mask_its_own_rows_alone() -> None:
    spec = {
        "mask": "when",
        "if": {"column": "v", "matches": "^[0-9]+$"},
        "then": {"mask": "python", "function": "builtins:int"},
        "else": "keep",
    }
    assert in_python(bind(spec, TEXT), {"v": ["12", "no number"]}) == [12, "no number"]


def test_when_needs_one_kind_and_comparable_columns() -> None:
    spec: dict[str, Any] = {"mask": "when", "if": {"column": "j", "equals": "x"}, "then": "keep", "else": "keep"}
    with pytest.raises(BindError, match="cannot compare"):
        bind(spec, TEXT, {"j": ColumnType(Kind.JSON, "jsonb")})
    with pytest.raises(BindError, match="has no order"):
        bind({**spec, "if": {"column": "u", "less_than": "x"}}, TEXT, {"u": ColumnType(Kind.UUID, "uuid")})
    with pytest.raises(BindError, match="needs text"):
        bind({**spec, "if": {"column": "n", "matches": "x"}}, TEXT, {"n": INT})
    with pytest.raises(BindError, match="no value for a column of type integer"):
        bind({**spec, "if": {"column": "n", "equals": "x"}}, TEXT, {"n": INT})


def test_replace_in_place_keeps_what_is_around() -> None:
    spec = {"mask": "replace", "masks": ["hash"], "start_index": 1, "end_index": 3}
    made = one(spec, TEXT, "abcdef")
    assert made == f"a{one('hash', TEXT, 'bc')}def"
    assert one({**spec, "masks": ["null"]}, TEXT, "abcdef") == "adef"
    with pytest.raises(BindError, match="read other columns"):
        bind({**spec, "masks": [{"mask": "from_column", "source_column": "a"}]}, TEXT, {"a": TEXT})
