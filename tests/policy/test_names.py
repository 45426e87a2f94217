"""Exact names, quoted names and patterns."""

from __future__ import annotations

import pytest

from dbmask.policy.names import bare, column_glob, is_column_pattern, is_pattern, table_glob
from dbmask.schema import TableName


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hr.*", True),
        ("person_?", True),
        ('"hr".*', True),
        ('"hr.*"', False),
        ('hr."a*"', False),
        ("hr.person", False),
        ("[abc]", False),
        ("[abc]*", True),
    ],
)
def test_patterns_of_tables(name: str, expected: bool) -> None:
    assert is_pattern(name) is expected


@pytest.mark.parametrize(
    ("pattern", "schema", "table", "expected"),
    [
        ("hr.*", "hr", "person", True),
        ("hr.*", "hr2", "person", False),
        ("*", "public", "person", True),
        ("*", "hr", "person", False),
        ("*.*", "hr", "a\nb", True),
        ('"h.r".p*', "h.r", "person", True),
        ('"h*".p*', "h*", "person", True),
        ('"h*".p*', "hr", "person", False),
        ('h*."a*"', "hr", "a*", True),
        ('h*."a*"', "hr", "ab", False),
        ("[ab]*", "public", "bee", True),
        ("[ab]*", "public", "cat", False),
        ("P*", "public", "person", False),
    ],
)
def test_what_patterns_of_tables_match(pattern: str, schema: str, table: str, expected: bool) -> None:
    assert table_glob(pattern, "public")(TableName(schema, table)) is expected


@pytest.mark.parametrize(
    ("name", "pattern", "literal"),
    [
        ("*_email", True, "*_email"),
        ('"*_email"', False, "*_email"),
        ("a.b", False, "a.b"),
        ("a.*", True, "a.*"),
        ('"a""b"', False, 'a"b'),
        ('"', False, '"'),
        ('""', False, '""'),
    ],
)
def test_names_of_columns(name: str, pattern: bool, literal: str) -> None:
    assert (is_column_pattern(name), bare(name)) == (pattern, literal)


def test_what_patterns_of_columns_match() -> None:
    assert column_glob("*_email")("home_email")
    assert not column_glob("*_email")("home_EMAIL")
    assert not column_glob("?")("ab")
