"""DuckDB's names of types, and the table that a session holds its keys in."""

from __future__ import annotations

import duckdb
import pytest

from dbmask_sql.duckdb_keys import KEYS, key_columns, rendered
from dbmask_sql.duckdb_types import Scalar, scalar
from dbmask_sql.keyref import key_ref
from dbmask_sql.kinds import Kind


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DECIMAL(10,2)", Scalar(Kind.DECIMAL, precision=10, scale=2)),
        ("UTINYINT", Scalar(Kind.INTEGER, bits=8, unsigned=True)),
        ("HUGEINT", Scalar(Kind.INTEGER, bits=128)),
        ("TIMESTAMP WITH TIME ZONE", Scalar(Kind.TIMESTAMPTZ)),
        ("UUID", Scalar(Kind.UUID)),
        ("INTEGER[]", Scalar(Kind.OTHER)),
        ("ENUM('UUID')", Scalar(Kind.OTHER)),
    ],
)
def test_types(sql: str, expected: Scalar) -> None:
    assert scalar(sql) == expected


def test_keys_are_read_from_memory() -> None:
    pads = {"mail": (bytes(range(64)), b"\xff" * 64), "name": (b"\0" * 64, b"'\\" * 32)}
    with duckdb.connect() as db:
        db.register(KEYS, key_columns(pads))
        for name, (inner, outer) in pads.items():
            for part, pad in (("inner", inner), ("outer", outer)):
                sql = rendered(key_ref(name, part))
                assert db.execute(f"SELECT {sql}").fetchall() == [(pad,)]
