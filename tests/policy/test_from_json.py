"""JSON as the standard library reads it, with lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmask.errors import PolicyError
from dbmask.policy.document import Document
from dbmask.policy.from_json import read_json


def read(text: str) -> Document:
    document = Document("p.json")
    read_json(text, document)
    return document


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@settings(max_examples=100, deadline=None)
@given(VALUES, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_it_reads_what_the_standard_library_reads(data: Any, indent: int | str | None, ascii_only: bool) -> None:
    assert read(json.dumps(data, indent=indent, ensure_ascii=ascii_only)).data == data


def test_lines_whatever_the_layout() -> None:
    document = read('\n{\n\t"a"\n: [\n1,\n{"b\\n\\"}": 2}], "c": "x"\r\n}')
    assert document.data == {"a": [1, {'b\n"}': 2}], "c": "x"}
    assert document.lines == {("a",): 3, ("a", 0): 5, ("a", 1): 6, ("a", 1, 'b\n"}'): 6, ("c",): 6}


def test_a_key_given_twice_is_noted_and_the_first_stands() -> None:
    document = read('{"a": 1,\n"a": {"b": 2}}')
    assert document.data == {"a": 1}
    assert [str(p) for p in document.problems] == ["p.json:2: 'a' is given twice (first at p.json:1)"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.json:1: is not JSON: "),
        ("{\n'a': 1}", "p.json:2: is not JSON: "),
        ('{"a": NaN}', "p.json:1: is not JSON: it has no NaN"),
        ('{"a": -Infinity}', "p.json:1: is not JSON: it has no -Infinity"),
        ("[" * 100_000, "p.json:1: is nested too deep"),
        ("[" * 150 + "]" * 150, "p.json:1: is nested more than 100 deep"),
        ("9" * 5000, "p.json:1: is nested too deep, or holds a number of too many digits"),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        read(text)
    assert str(error.value).startswith(message), str(error.value)
