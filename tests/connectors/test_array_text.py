"""PostgreSQL's array texts read as lists."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask_connectors._array_text import from_array_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        ("{a,b c,NULL}", ["a", "b c", None]),
        ('{"a,b","NULL","","q\\"","back\\\\slash","{}"}', ["a,b", "NULL", "", 'q"', "back\\slash", "{}"]),
        ("{{1,2},{3,NULL}}", [["1", "2"], ["3", None]]),
        ("[0:1]={x,y}", ["x", "y"]),
    ],
)
def test_known_texts(text: str, expected: list[Any]) -> None:
    assert from_array_text(text) == expected


@pytest.mark.parametrize("text", ["", "a", "{", "}", "{a}}", '{"a}', "{a},{b}"])
def test_what_is_no_array(text: str) -> None:
    with pytest.raises(ValueError, match="not the text of an array"):
        from_array_text(text)


@given(st.lists(st.none() | st.text()))
def test_quoted_elements_read_back(values: list[str | None]) -> None:
    shown = ("NULL" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    assert from_array_text("{" + ",".join(shown) + "}") == values
