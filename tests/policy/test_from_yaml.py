"""YAML by its version 1.2, with a line for every place, and no text that ends in a traceback."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmask.errors import PolicyError
from dbmask.policy.document import Document
from dbmask.policy.from_yaml import read_yaml


def read(text: str) -> Document:
    document = Document("p.yaml")
    read_yaml(text, document)
    return document


def said(document: Document) -> list[str]:
    return [str(p) for p in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("10", 10),
        ("010", 10),
        ("089", 89),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        (".inf", math.inf),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        ("'null'", "null"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ('!!int "12"', 12),
        ("!!float 3", 3),
        ("!!null ''", None),
        ("! 12", "12"),
        ("|\n two\n lines", "two\nlines"),
        ("!!map {a: 1}", {"a": 1}),
        ("!!seq [1]", [1]),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    document = read(text)
    assert document.data == value
    assert type(document.data) is type(value)
    assert said(document) == []


def test_not_a_number() -> None:
    assert math.isnan(read(".nan").data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!binary aGk=", "p.yaml:1: the tag !!binary means nothing in a policy (leave it out)"),
        ("a: !!timestamp x", "p.yaml:1: the tag !!timestamp means nothing in a policy (leave it out)"),
        ("a:\n  !own {b: 1}", "p.yaml:2: the tag !own means nothing in a policy (leave it out)"),
        ("a: !!set [b]", "p.yaml:1: the tag !!set means nothing in a policy (leave it out)"),
        ("a: !!int many", "p.yaml:1: what is tagged !!int is none"),
        ("a: !!bool maybe", "p.yaml:1: what is tagged !!bool is none"),
        ("a: 1\nb: 2\na: 3", "p.yaml:3: 'a' is given twice (first at p.yaml:1)"),
    ],
)
def test_what_is_noted(text: str, message: str) -> None:
    assert said(read(text)) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [*a]", "p.yaml:1: is not YAML: there is no anchor &a above"),
        ("\na: *b", "p.yaml:2: is not YAML: there is no anchor &b above"),
        ("a: {<<: 5}", "p.yaml:1: `<<` merges mappings, and this is none"),
        ("a: {<<: [{b: 1}, 5]}", "p.yaml:1: `<<` merges mappings, and this is none"),
        ("a: 1\n---\nb: 2", "p.yaml:2: is not one YAML document: a second one begins here"),
        ("a:\n  ? {b: c}\n  : d", "p.yaml:2: is not YAML: a key must be a text"),
        ("a: " + "[" * 300 + "]" * 300, "p.yaml:1: is nested more than 100 deep"),
        ("a: " + "[" * 200_000, "p.yaml:1: is nested more than 100 deep"),
        ("a: \x01", "p.yaml:1: is not YAML: "),
        ("a: [", "p.yaml:"),
        ("a:\n\t- b", "p.yaml:2: is not YAML: "),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        read(text)
    assert str(error.value).startswith(message), str(error.value)


def test_aliases_within_aliases_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask.policy.from_yaml._MAX_VALUES", 1000)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(PolicyError, match="holds more than 1000 values: aliases within aliases"):
        read("\n".join(lines))


def test_lines_of_keys_and_items() -> None:
    document = read("a:\n  b: 1\n  c:\n    - x\n    - {y: z}\n'd': 2\n")
    assert document.lines == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "y"): 5,
        ("d",): 6,
    }


def test_keys_are_texts() -> None:
    document = read("{null: 1, true: 2, 12: 3, 2024-01-01: 4, '<<': 5, ~: 6}")
    assert list(document.data) == ["null", "true", "12", "2024-01-01", "<<", "~"]
    assert read("? a\n? b").data == {"a": None, "b": None}


def test_what_a_mapping_says_itself_beats_what_is_merged_and_keeps_its_line() -> None:
    document = read("base: &b\n  x: 1\n  y: 2\nmade:\n  y: 3\n  <<: [*b, {z: 4, x: 5}]\n")
    assert document.data["made"] == {"x": 1, "y": 3, "z": 4}
    assert document.lines is not None
    assert document.lines["made", "y"] == 5
    assert document.lines["made", "x"] == 2


def test_missing_values_are_known_from_null() -> None:
    document = read("a:\nb: null\nc: ''\nd: [~, ]\ne:\n  f:\n")
    assert document.empty == {("a",), ("e", "f")}
    assert document.missing(("e",)) == [("e", "f")]
    assert document.missing(("b",)) == []


def test_an_empty_text_has_no_data() -> None:
    assert read("").data is None
    assert read("# nothing\n").data is None
    assert read("---\n...\n").data is None


def test_places_without_a_name() -> None:
    document = Document("")
    read_yaml("a: 1\na: 2", document)
    assert said(document) == ["line 2: 'a' is given twice (first at line 1)"]
    with pytest.raises(PolicyError, match=r"^line 1: is not YAML"):
        read_yaml("[", Document(""))


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(st.characters(blacklist_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="ascii")), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(PLAIN)
def test_what_was_written_is_read(data: Any) -> None:
    assert read(yaml.safe_dump(data, default_style='"', allow_unicode=True)).data == data


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("ab:-?[]{}&*!|>'\"#%@`,<~0 \n\t")))
def test_no_text_ends_in_anything_but_a_policy_error(text: str) -> None:
    try:
        read(text)
    except PolicyError as error:
        assert error.problems
