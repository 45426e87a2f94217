from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError, MaskError, PolicyError
from dbmask.masks._jsonpath import JsonPath
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python, one

JSON = ColumnType(Kind.JSON, "jsonb")
TEXT = ColumnType(Kind.TEXT, "text")
INT = ColumnType(Kind.INTEGER, "integer", bits=32)

DOCUMENT = {"a": {"b": 1, "c d": [10, {"b": 2}]}, "b": 3, "x.y": 4}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [DOCUMENT]),
        ("$.b", [3]),
        ("$.a.b", [1]),
        ("$['a'][\"b\"]", [1]),
        ("$.a['c d'][0]", [10]),
        ("$.a['c d'][-1].b", [2]),
        ("$.a['c d'][*]", [10, {"b": 2}]),
        ("$.*", [DOCUMENT["a"], 3, 4]),
        ("$..b", [3, 1, 2]),
        ("$['x.y']", [4]),
        ("$.a['c d'][5]", []),
        ("$.nope.b", []),
        ("$.b.b", []),
        ("$..[0]", [10]),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    places = JsonPath.parse(path).find([DOCUMENT])
    assert [c[k] for c, k in places] == found


@pytest.mark.parametrize(
    "path", ["", "a", "$a", "$.", "$..", "$.a..", "$[", "$['a", "$[1:2]", "$[?(@.a)]", "$.a b", "$...a"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(PolicyError, match="the path"):
        build_mask({"mask": "json", "paths": {path: "redact"}})


def masked(document: Any, paths: dict[str, Any], **params: Any) -> Any:
    text = one({"mask": "json", "paths": paths, **params}, JSON, json.dumps(document))
    return json.loads(text)


def test_each_type_of_value() -> None:
    given = {"t": "text", "n": 12, "f": 1.5, "b": True}
    made = masked(
        given, {"$.n": "permute", "$.f": {"mask": "noise", "sigma": 10}, "$.b": {"mask": "fixed", "value": False}}
    )
    assert made["t"] == "text"
    assert made["n"] == one("permute", INT, 12)
    assert isinstance(made["f"], float) and made["f"] != 1.5
    assert made["b"] is False
    assert masked({"n": 12, "b": True}, {"$.*": "redact"}) == {"n": "**", "b": "****"}


def test_a_value_masks_as_in_a_column_of_its_own() -> None:
    made = masked({"person": {"first": "Sarah"}}, {"$.person.first": "first_name"})
    assert made["person"]["first"] == one("first_name", TEXT, "Sarah")


def test_containers_are_replaced_whole_or_refused() -> None:
    assert masked({"a": {"b": 1}}, {"$.a": "drop"}) == {}
    for mask in ("redact", "permute", "first_name"):
        with pytest.raises(MaskError, match="a path leads to a JSON object"):
            masked({"a": {"b": 1}}, {"$.a": mask})


def test_dropping_from_lists_takes_the_right_elements() -> None:
    assert masked([1, 2, 3, 4], {"$[0]": "drop", "$[2]": "drop"}) == [2, 4]
    assert masked([1, [2, 3], 4], {"$[1][0]": "drop", "$[0]": "drop", "$[*][0]": "drop"}) == [[3], 4]
    assert masked([[1], [2]], {"$..[0]": "drop"}) == [[]]


def test_rest_leaves_nothing_that_no_path_names() -> None:
    given = {"id": 7, "list": ["x", {"y": "z"}], "gone": ["p", "q"], "none": None}
    made = masked(given, {"$.id": "keep", "$.gone[0]": "drop"}, rest={"mask": "fixed", "value": "-"})
    assert made == {"id": 7, "list": ["-", {"y": "-"}], "gone": ["-"], "none": None}


def test_missing_and_null_places() -> None:
    paths = {"$.a": "redact"}
    assert masked({"b": 1}, paths) == {"b": 1}
    assert masked({"a": None}, paths) == {"a": None}
    with pytest.raises(MaskError, match="on_missing"):
        masked({"b": "secret"}, paths, on_missing="error")
    with pytest.raises(MaskError, match="on_null"):
        masked({"a": None}, paths, on_null="error")
    assert masked({"a": None}, {"$.a": {"mask": "redact", "on_null": "-"}}, on_null="mask") == {"a": "-"}
    assert masked([], {"$[*]": "redact"}, on_missing="error") == []


def test_what_is_no_json_is_never_passed_through() -> None:
    for text in ("{secret", "", "NaN", '{"a": Infinity}', "'a'"):
        spec = {"mask": "json", "paths": {"$.a": "redact"}}
        with pytest.raises(MaskError) as raised:
            one(spec, TEXT, text)
        assert "secret" not in str(raised.value)
        assert one({**spec, "on_invalid": "null"}, TEXT, text) is None


def test_numbers_keep_their_digits_and_forms_their_kind() -> None:
    spec = {"mask": "json", "paths": {"$.a": "redact"}}
    assert one(spec, TEXT, '{"n": 1.50, "big": 12345678901234567890123, "é": "ř"}') == (
        '{"n": 1.50, "big": 12345678901234567890123, "é": "ř"}'
    )
    assert one(spec, JSON, {"a": "xy", "n": 1.5}) == {"a": "**", "n": 1.5}
    assert one(spec, JSON, b'{"a": "xy"}') == b'{"a": "**"}'
    assert in_python(bind(spec, JSON), {"v": [None]}) == [None]


def test_the_given_object_is_not_touched() -> None:
    given = {"a": "xy"}
    one({"mask": "json", "paths": {"$.a": "redact"}}, JSON, given)
    assert given == {"a": "xy"}


def test_inner_masks_may_read_other_columns() -> None:
    paths = {"$.names[*]": {"mask": "first_name", "gender": "sex"}}
    bound = bind({"mask": "json", "paths": paths}, JSON, {"sex": TEXT})
    assert bound.inputs == ("v", "sex")
    assert not bound.promises.value_only
    made = in_python(bound, {"v": ['{"names": ["Kim", "Kim"]}', '{"names": ["Kim"]}'], "sex": ["f", "m"]})
    first, second = (json.loads(m)["names"] for m in made)
    assert first[0] == first[1] != second[0]


def test_columns_and_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BindError, match="json masks JSON"):
        bind({"mask": "json", "paths": {"$.a": "redact"}}, INT)
    with pytest.raises(BindError, match=r"\$\.a: date_shift moves dates"):
        bind({"mask": "json", "paths": {"$.a": "date_shift"}}, JSON)
    with pytest.raises(PolicyError):
        build_mask({"mask": "json", "paths": {}})
    with pytest.raises(PolicyError, match="no mask 'redakt'"):
        build_mask({"mask": "json", "paths": {"$.a": "redakt"}})


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=12,
)


def _text(value: Any) -> str:
    return json.dumps(value, default=lambda d: float(d) if isinstance(d, Decimal) else d)


@given(documents)
def test_a_document_without_matches_stays(document: Any) -> None:
    text = _text(document)
    made = one({"mask": "json", "paths": {"$.nothing.here": "redact"}}, TEXT, text)
    assert json.loads(made, parse_float=Decimal) == json.loads(text, parse_float=Decimal)


@given(documents)
def test_with_a_mask_for_the_rest_nothing_stays(document: Any) -> None:
    spec = {"mask": "json", "paths": {"$.nothing.here": "keep"}, "rest": {"mask": "fixed", "value": "-"}}

    def leaves(value: Any) -> list[Any]:
        if isinstance(value, dict | list):
            return [x for v in (value.values() if isinstance(value, dict) else value) for x in leaves(v)]
        return [value]

    made = json.loads(one(spec, TEXT, _text(document)))
    assert set(map(str, leaves(made))) <= {"-", "None", ""}
