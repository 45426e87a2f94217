from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.schema import ColumnType, Kind
from tests.masks.engines import KEYS, bind, one

TEXT = ColumnType(Kind.TEXT, "text")


@given(st.text(min_size=1), st.sampled_from(["sha256", "sha512", "md5", "blake2b", "sha3_256"]), st.text(max_size=5))
def test_an_unkeyed_hash_is_that_of_value_and_salt(value: str, algo: str, salt: str) -> None:
    spec = {"mask": "hash", "keyed": False, "algo": algo, "salt": salt}
    assert one(spec, TEXT, value) == hashlib.new(algo, f"{value}{salt}".encode()).hexdigest()


@given(st.text(min_size=1))
def test_a_keyed_hash_is_the_prf(value: str) -> None:
    assert one("hash", TEXT, value) == KEYS.column("hash").prf(value.encode()).hex()


def test_numbers_and_their_texts_agree() -> None:
    assert one({"mask": "hash", "keyed": False}, TEXT, 1) == one({"mask": "hash", "keyed": False}, TEXT, "1")


def test_padding_does_not_count() -> None:
    char = ColumnType(Kind.TEXT, "char(80)", length=80, padded=True)
    assert one("hash", char, "ab   ") == one("hash", TEXT, "ab")
    assert one("hash", char, "    ") == ""


@pytest.mark.parametrize(
    ("length", "said"),
    [(4, "all 4-character values are tried in about 1 s"), (12, "in about 5,484 days"), (None, "all 10-digit numbers")],
)
def test_an_unkeyed_hash_warns_with_the_time_to_guess(length: int | None, said: str) -> None:
    type_ = ColumnType(Kind.TEXT, "text", length=length)
    spec: Any = {"mask": "hash", "keyed": False, "length": min(length or 64, 64)}
    warnings = bind(spec, type_).promises.warnings
    assert len(warnings) == 1
    assert said in warnings[0]
    assert bind({"mask": "hash", "length": 4}, type_).promises.warnings == ()


def test_what_a_hash_promises() -> None:
    assert bind("hash", TEXT).promises.injective
    assert not bind({"mask": "hash", "length": 63}, TEXT).promises.injective
    assert not bind({"mask": "hash", "keyed": False, "algo": "md5"}, TEXT).promises.injective
    assert not bind({"mask": "hash", "on_null": ""}, TEXT).promises.injective
    assert bind({"mask": "hash", "length": 4}, TEXT).promises.outcomes == 16**4
