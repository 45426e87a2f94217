"""Masker: what it takes, what it refuses, when it says so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dbmask
from dbmask import Masker
from dbmask.errors import MaskError, PolicyError, UsageError


def test_its_other_name() -> None:
    assert dbmask.MaskMe is Masker


def test_records_stream_through_and_stay_untouched() -> None:
    taken = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal taken
        while True:
            taken += 1
            yield {"id": taken, "deep": {"list": [{"id": taken}]}}

    made = Masker({"deep.list.id": "drop"}).mask(endless())
    first = [next(made) for _ in range(3)]
    assert first == [{"id": i, "deep": {"list": [{}]}} for i in (1, 2, 3)]
    assert taken < 1_000
    given = [{"a": {"b": "x"}}]
    assert list(Masker({"a.b": "redact"}).mask(given)) == [{"a": {"b": "*"}}]
    assert given == [{"a": {"b": "x"}}]


def test_a_masker_is_used_more_than_once() -> None:
    masker = Masker({"id": "hash"}, salt="gs")
    assert list(masker.mask([{"id": "1"}])) == list(masker.mask([{"id": 1}]))


def test_all_problems_of_the_rules_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        Masker({"a": "hsah", "b": {"strategy": "redact", "keep_end": "4"}, "c": None, "d": 3, "e.": "hash"})
    said = [str(p) for p in caught.value.problems]
    assert len(said) == 5
    assert said[0].startswith("a: there is no strategy 'hsah'")
    for rules in ({}, {"a": "hash", "a.b": "redact"}, {"a": {"keep_end": 1}}):
        with pytest.raises(PolicyError):
            Masker(rules)


def test_rules_from_a_file_have_lines(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("id: hash\nphone:\n  strategy: redact\n  keep_ned: 4\n")
    with pytest.raises(PolicyError, match=r"rules\.yaml:4: .*keep_ned.*did you mean keep_end"):
        Masker(path)


def test_what_is_no_record() -> None:
    masker = Masker({"a": "hash"})
    for wrong in ({"a": 1}, "abc", b"abc", 3):
        with pytest.raises(UsageError):
            masker.mask(wrong)
    with pytest.raises(MaskError, match="record 2: is no record"):
        list(masker.mask([{"a": 1}, [1]]))


def test_errors_name_record_and_field() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        seeded = Masker({"u.n": {"strategy": "noise", "sigma": 1, "seed": 1}})
    with pytest.raises(MaskError) as caught:
        list(seeded.mask([{"u": {"n": 1}}] * 300 + [{"u": {"n": "secret"}}]))
    assert str(caught.value).startswith("record 301: field 'u.n': noise needs a number")
    assert "secret" not in str(caught.value)


def test_a_seed_is_said_to_be_reversible() -> None:
    with pytest.warns(UserWarning, match="can be taken away again"):
        Masker({"n": {"strategy": "noise", "sigma": 1, "seed": 1}})


def test_all_default_is_said_at_the_end() -> None:
    masker = Masker({"n": {"strategy": "generalize", "step": 10}})
    with pytest.warns(UserWarning, match="n: every value became the default"):
        assert list(masker.mask([{"n": "x"}, {"n": None}])) == [{"n": "Others"}, {"n": None}]
    assert list(masker.mask([{"n": "x"}, {"n": 12}])) == [{"n": "Others"}, {"n": "10-20"}]


def test_missing_and_strict() -> None:
    with pytest.raises(MaskError, match="matched no field: b"):
        list(Masker({"a": "hash", "b": "hash"}).mask([{"a": 1}]))
    assert list(Masker({"a": "drop", "b": "hash"}, allow_missing=True).mask([{"a": 1}])) == [{}]
    assert list(Masker({"a": "drop"}).mask([])) == []
    with pytest.raises(MaskError, match=r"record 2: field 'u\.x' has no rule"):
        list(Masker({"u.a": "hash"}, strict=True).mask([{"u": {"a": 1}}, {"u": {"a": 1, "x": 2}}]))


def test_keyed_masks_of_policies() -> None:
    key = b"thirty-two bytes of key, or more"
    made = list(Masker({"n": "permute", "e": "email"}, key=key).mask([{"n": 17, "e": "a@x.org"}, {"n": None, "e": ""}]))
    assert made[0]["n"] != 17
    assert 10 <= made[0]["n"] <= 99
    assert made[1] == {"n": None, "e": ""}
    with pytest.raises(PolicyError, match="no key was given"):
        Masker({"e": "email"})
    with pytest.raises(MaskError, match="record 1: field 'n': permute cannot mask"):
        list(Masker({"n": "permute"}, key=key).mask([{"n": "x"}]))


class _Missing:
    """As pandas.NA: nothing can be compared with it."""

    def __eq__(self, other: object) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __ne__ = __eq__
    __hash__ = None  # type: ignore[assignment]


_Missing.__name__ = "NAType"
_ROWS: list[dict[str, Any]] = [{"id": 1, "phone": "555-0101", "x": 1.5}, {"id": 2, "phone": None, "x": None}]


class _ByTuples:
    """What of a DataFrame of pandas is used."""

    def __init__(self, names: list[str], rows: list[tuple[Any, ...]]) -> None:
        self.columns = names
        self._rows = rows

    def itertuples(self, index: bool, name: str | None) -> Iterator[tuple[Any, ...]]:
        assert (index, name) == (False, None)
        return iter(self._rows)


class _ByDicts:
    """What of a DataFrame of polars is used."""

    def iter_rows(self, named: bool) -> Iterator[dict[str, Any]]:
        assert named
        return iter(_ROWS)


def _frames() -> list[Any]:
    """DataFrames as they are used; and real ones, where these packages are installed."""
    made: list[Any] = [_ByDicts()]
    made += [_ByTuples(list(_ROWS[0]), [(1, "555-0101", 1.5), (2, m, float("nan"))]) for m in (None, _Missing())]
    nullable = [(np.int64(1), "555-0101", np.float64(1.5)), (np.int64(2), _Missing(), float("nan"))]
    made.append(_ByTuples(list(_ROWS[0]), nullable))
    if find_spec("pandas"):
        pandas = import_module("pandas")
        made += [pandas.DataFrame(_ROWS), pandas.DataFrame(_ROWS).convert_dtypes()]
    if find_spec("polars"):
        made.append(import_module("polars").DataFrame(_ROWS))
    return made


def test_data_frames() -> None:
    masker = Masker({"phone": {"strategy": "redact", "keep_end": 4}, "id": "hash"})
    wanted = list(masker.mask(_ROWS))
    assert wanted[1]["phone"] == ""
    for frame in _frames():
        assert list(masker.mask(frame)) == wanted


def test_columns_of_one_name() -> None:
    with pytest.raises(UsageError, match="two columns of one name"):
        Masker({"a": "drop"}).mask(_ByTuples(["a", "a"], []))
