from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dbmask.masks.email import _WORDS
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python, one

TEXT = ColumnType(Kind.TEXT, "text")
ADDRESS = re.compile(r"[a-z]+\.[0-9a-f]{10}@example\.com")


@given(st.text(min_size=1))
def test_it_looks_like_an_address(value: str) -> None:
    assert ADDRESS.fullmatch(one("email", TEXT, value))


def test_the_words_are_frozen() -> None:
    assert len(set(_WORDS)) == 128
    assert max(map(len, _WORDS)) == 7
    assert (_WORDS[0], _WORDS[127]) == ("acorn", "sorrel")


def test_a_hundred_thousand_people_have_as_many_addresses() -> None:
    bound = bind("email", TEXT)
    made = in_python(bound, {"v": [f"person{i}@acme.com" for i in range(100_000)]})
    assert len(set(made)) == 100_000
    assert (bound.promises.outcomes or 0) > 10**14
    assert not bound.promises.injective


def test_the_local_part_never_repeats_the_original() -> None:
    made = in_python(bind({"mask": "email", "keep_host": True}, TEXT), {"v": ["alice@acme.com", "alice@other.org"]})
    assert [m.partition("@")[2] for m in made] == ["acme.com", "other.org"]
    assert len({m.partition("@")[0] for m in made}) == 2
    assert not any("alice" in m for m in made)


def test_only_a_plain_host_is_kept() -> None:
    hosts = [
        "a@b c",
        "a@",
        "@",
        "no address",
        "a@b@c.cz",
        "a@-x.cz",
        "a@x..cz",
        "a@ž.cz",
        "a@[1.2.3.4]",
        f"a@{'x' * 254}",
    ]
    made = in_python(bind({"mask": "email", "keep_host": True}, TEXT), {"v": hosts})
    assert [m.partition("@")[2] for m in made] == [*["example.com"] * 4, "c.cz", *["example.com"] * 5]


@given(st.integers(20, 60), st.booleans(), st.text(st.sampled_from("ab@.c"), min_size=1, max_size=20))
def test_it_fits_whatever_length_it_accepts(length: int, keep_host: bool, value: str) -> None:
    type_ = ColumnType(Kind.TEXT, f"varchar({length})", length=length)
    bound = bind({"mask": "email", "keep_host": keep_host}, type_)
    assert len(in_python(bound, {"v": [value]})[0]) <= (bound.promises.type.length or 0) <= length


def test_unique_ones_are_eighty_bits_or_more() -> None:
    assert bind({"mask": "email", "unique": True}, TEXT).promises.outcomes == 2**96
    short = bind({"mask": "email", "unique": True}, ColumnType(Kind.TEXT, "varchar(32)", length=32))
    assert short.promises.injective
    assert short.promises.outcomes == 2**80
