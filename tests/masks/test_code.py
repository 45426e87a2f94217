"""sql and python: what a policy's author writes, and what it may not do."""

from __future__ import annotations

from typing import Any

import pytest

from dbmask.errors import BindError, MaskError
from dbmask.schema import ColumnType, Kind
from dbmask_sql.dialects import column, dialect
from tests.masks.engines import bind, in_python, one

TEXT = ColumnType(Kind.TEXT, "text")


def _sql(expression: str, name: str = "postgres") -> str:
    made = bind({"mask": "sql", "expression": expression}, TEXT).sql([column("v", "t")], dialect(name))
    assert made is not None
    return str(made[0].sql(name))


def test_the_column_stands_where_value_stood() -> None:
    assert _sql("upper({value}) || left({value}, 1)") == '(UPPER("t"."v") || LEFT("t"."v", 1))'
    assert _sql("concat({value}, 'a''b\\\\')", "mysql") == "(CONCAT(`t`.`v`, 'a''b\\\\'))"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1; DROP TABLE t", "none that postgres would read"),
        ("SELECT 1", "a statement"),
        ("upper(", "none that postgres would read"),
        ("'{value}'", "inside a literal"),
    ],
)
def test_what_is_no_expression(expression: str, message: str) -> None:
    with pytest.raises(BindError, match=message):
        _sql(expression)


def test_sql_runs_nowhere_else() -> None:
    with pytest.raises(MaskError, match="source database alone"):
        one({"mask": "sql", "expression": "{value}"}, TEXT, "secret")
    assert bind({"mask": "sql", "expression": "{value}", "injective": True}, TEXT).promises.injective


def broken(value: Any) -> Any:
    raise RuntimeError(f"cannot do {value}")


def doubled(value: str) -> str:
    return value * 2


def test_a_function_of_the_author() -> None:
    spec = {"mask": "python", "function": f"{__name__}:doubled"}
    assert in_python(bind(spec, TEXT), {"v": ["ab", None, ""]}) == ["abab", None, ""]
    assert bind({**spec, "injective": True}, TEXT).promises.injective


def test_a_function_that_fails_or_overflows_tells_no_value() -> None:
    with pytest.raises(MaskError, match="RuntimeError") as caught:
        one({"mask": "python", "function": f"{__name__}:broken"}, TEXT, "secret")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(MaskError, match="gave 12 characters, and the column takes 6") as caught:
        one({"mask": "python", "function": f"{__name__}:doubled"}, ColumnType(Kind.TEXT, "v", length=6), "secret")
    assert "secret" not in str(caught.value)
