from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dbmask.errors import BindError
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python, one

TEXT = ColumnType(Kind.TEXT, "text")


def test_choices_are_even_and_repeated_values_weigh_more() -> None:
    made = in_python(
        bind({"mask": "dictionary", "values": ["a", "a", "b", "c"]}, TEXT), {"v": list(map(str, range(8000)))}
    )
    count = Counter(made)
    assert 3700 < count["a"] < 4300
    assert 1800 < count["b"] < 2200


def test_domains_choose_apart_and_equal_values_alike() -> None:
    values = [str(i) for i in range(50)]
    one_domain = {"mask": "dictionary", "values": values}
    given = {"v": [f"x{i}" for i in range(50)]}
    assert in_python(bind(one_domain, TEXT), given) == in_python(bind(one_domain, TEXT), given)
    assert in_python(bind(one_domain, TEXT), given) != in_python(bind({**one_domain, "domain": "other"}, TEXT), given)


def test_a_file_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "pets.csv").write_text('﻿name,kind\n"Rex, Jr.",dog\n\nTom,cat\n ,fish\n', "utf-8")
    mask = build_mask({"type": "from_file", "seed_file": "pets.csv", "seed_column": "name"}, folder=str(tmp_path))
    made = set(in_python(bind(mask, TEXT), {"v": list(map(str, range(40)))}))
    assert made == {"Rex, Jr.", "Tom"}


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        (b"a,b\n1,2\n", None, "2 columns"),
        (b"a,b\n1,2\n", "c", "no column 'c'"),
        (b"a\n\n", "a", "no values"),
        (b"\xff\xfe\x00", "a", "no CSV in UTF-8"),
    ],
)
def test_unusable_files(tmp_path: Path, content: bytes, column: str | None, message: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    with pytest.raises(BindError, match=message):
        bind({"mask": "dictionary", "file": str(file), **({"column": column} if column else {})}, TEXT)


def test_one_column_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("name\nRex\n", "utf-8")
    assert one({"mask": "dictionary", "file": str(tmp_path / "one.csv")}, TEXT, "x") == "Rex"
