from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask_sql.patterns import portable

PATTERNS = [
    "abc",
    "^abc$",
    "a.c",
    r"\d+",
    r"^\w+@\w+\.(com|cz)$",
    "[a-c]x",
    "[^a-c]$",
    r"[\]\-x]",
    "[]a]",
    "(ab)*c",
    "(?:ab){2,3}",
    "a{2}b?",
    "a+?b*?",
    "a|b|^$",
    r"\s",
    r"\.\*",
    "",
]
SUBJECTS = [
    "",
    "abc",
    "xabcx",
    "abc\n",
    "a\nc",
    "12",
    "a@b.cz",
    "a@b.cz\n",
    "bx",
    "d",
    "-",
    "]",
    "ababab",
    "aab",
    " ",
    "\t",
    ".*",
    "ž",
    "A",
    "{2}",
]


@pytest.mark.parametrize("pattern", PATTERNS[:-1])
def test_a_portable_pattern_finds_what_python_finds(pattern: str) -> None:
    written = re.compile(portable(pattern).written(r"\Z"))
    strict = re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)
    for subject in SUBJECTS:
        assert bool(written.search(subject)) == bool(strict.search(subject)), subject


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "empty"),
        ("(?=a)", "other than"),
        ("(?i)a", "other than"),
        (r"\bx", "do not read alike"),
        (r"(a)\1", "do not read alike"),
        (r"\pL", "do not read alike"),
        ("[[:alpha:]]", "POSIX"),
        ("a{256}", "255"),
        ("a**", "repetition"),
        ("a{2}{3}", "nothing to repeat|repetition"),
        ("*a", "nothing to repeat"),
        ("(a", "not closed"),
        ("a)", "too many"),
        ("[a", "too early"),
        ("a\\", "too early"),
        ("[z-a]", "range"),
    ],
)
def test_what_is_not_portable(pattern: str, message: str) -> None:
    with pytest.raises((ValueError, re.error), match=message):
        portable(pattern)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=10))
def test_an_escaped_text_finds_itself(text: str) -> None:
    pattern = "".join(f"\\{c}" if c in r".[]{}()*+?|^$\\" else c for c in text)
    assert re.search(portable(f"^{pattern}$").written(r"\Z"), text)
