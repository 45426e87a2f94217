from __future__ import annotations

import time
from typing import Any

from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python, one

TEXT = ColumnType(Kind.TEXT, "text")


def test_time_is_linear_where_backtracking_is_not() -> None:
    started = time.process_time()
    assert one({"mask": "regex", "regex": "(a+)+$", "new": "x"}, TEXT, "a" * 5000 + "b") == "a" * 5000 + "b"
    assert time.process_time() - started < 2


def test_inner_masks_see_the_match_alone_and_other_columns() -> None:
    spec = {"mask": "regex", "regex": "NAME", "masks": [{"mask": "from_column", "source_column": "name"}]}
    bound = bind(spec, TEXT, {"name": TEXT})
    rows: dict[str, list[Any]] = {"v": ["dear NAME", "NAME, NAME", None, "none"], "name": ["Al", "Bo", "Cy", "Di"]}
    assert in_python(bound, rows) == ["dear Al", "Bo, Bo", None, "none"]
    assert not bound.promises.value_only


def test_an_entity_is_masked_as_a_column_value_is() -> None:
    alone = one("email", TEXT, "a@b.cz")
    assert one({"mask": "regex", "regex": r"\S+@\S+", "masks": ["email"]}, TEXT, "to a@b.cz now") == f"to {alone} now"


def test_empty_matches_and_length() -> None:
    assert one({"mask": "regex", "regex": "x*", "new": "-"}, TEXT, "axb") == "a-b"
    short = ColumnType(Kind.TEXT, "varchar(4)", length=4)
    assert one({"mask": "regex", "regex": "b", "new": "123"}, short, "abc") == "a123"


def test_a_mask_that_gives_null_removes_the_match() -> None:
    assert one({"mask": "regex", "regex": "b+", "masks": ["null"]}, TEXT, "abba") == "aa"
