"""Characters that a pattern cannot do without; and that texts are skipped only where no pattern can match."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError
from dbmask.text.batch import Batch
from dbmask.text.config import Pattern
from dbmask.text.filters import Filters
from dbmask.text.needs import needed
from dbmask.text.patterns import compile_pattern
from dbmask.text.regexes import Hopes, PatternFinder, RegexLocator

DIGITS = set(string.digits)


@pytest.mark.parametrize(
    ("pattern", "need"),
    [
        (r"\b\d{5}\b", DIGITS),
        (r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}", {"@"}),
        (r"https?://\S+", {":"}),
        (r"(?i)case no\.? ?\d+", DIGITS),
        (r"(?i)mr", {"m", "M"}),
        (r"a|b", {"a", "b"}),
        (r"(?:Q|X)+", {"Q", "X"}),
        (r"x{2,3}?\+", {"+"}),
        (r"[A-Z]{3}-\d{4}", DIGITS),
        (r"[-+]\s?", {"-", "+"}),
        (r"[\d.]+z", {*DIGITS, "."}),
    ],
)
def test_what_is_needed(pattern: str, need: set[str]) -> None:
    assert needed(pattern) == frozenset(need)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        r"\w*",
        r"\d?",
        r"\d{0,3}",
        r"\d{,3}",
        "a|",
        "a|.",
        r"\D+",
        r"[^a]",
        r"[[:digit:]]",
        r"\pL",
        r"\x41",
        r"\Qa.b\E",
        r"(?s)a",
        r"(?P<name>a)",
        r"[]a]",
        r"[a-\]]",
        r"é",
        r"[é]",
        r"a)",
        r"(a",
        r"[a",
        "a\\",
        r"a{x}",
        r"a{2",
        r"\1",
        r"a*",
        r"(?:a*)+",
    ],
)
def test_nothing_is_said(pattern: str) -> None:
    assert needed(pattern) is None


ATOMS = [
    *"ab-@ ",
    *([r"\d", r"\w", r"\s", r"\b", r"\.", r"\W", r".", r"^", r"$", r"[ab]", r"[^a]", r"[a-c0]", r"[\d-]", r"(?i)"]),
    *("\n", r"[[:alpha:]]", r"\x61"),
]
PIECES = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,1}", "{1,}?", "+?"])).map("".join)
        | st.lists(inner, max_size=3).map("".join)
        | st.lists(inner, min_size=1, max_size=3).map(lambda items: "(?:" + "|".join(items) + ")")
        | inner.map(lambda item: f"({item})")
    ),
    max_leaves=6,
)
TEXTS = st.text(st.sampled_from([*"aAbB1-@ .\n_"]), max_size=6)


@given(PIECES, TEXTS)
def test_every_match_has_a_character_that_is_needed(pattern: str, text: str) -> None:
    try:
        compiled = compile_pattern(pattern)
    except BindError:
        return
    need = needed(pattern)
    for match in compiled.finditer(text):
        start, end = match.span()
        assert need is None or set(text[start:end]) & need


@given(st.lists(PIECES, min_size=1, max_size=3), st.lists(TEXTS | st.just("žá1-ß"), min_size=1, max_size=4))
def test_a_batch_finds_what_each_pattern_finds_in_each_text(patterns: list[str], texts: list[str]) -> None:
    try:
        locators = [RegexLocator(Pattern(label="P", pattern=pattern)) for pattern in patterns]
    except BindError:
        return
    batch = Batch(texts)
    found = PatternFinder("regex", [(rank, Filters(()), locator) for rank, locator in enumerate(locators)]).find(batch)
    expected = []
    for i, text in enumerate(texts):
        plain = Batch([text]).joined_plain[:-1]
        for rank, locator in enumerate(locators):
            spans = {span for span in locator.locate(text, plain) if span[0] < span[1]}
            expected += [(batch.starts[i] + start, -batch.starts[i] - end, rank) for start, end in spans]
    assert sorted(found.hits) == sorted(expected)


@pytest.mark.parametrize(
    ("patterns", "hopes"),
    [
        ([r"\d+", "@"], [1, 0, 1, 0]),
        ([r"\d+", ".*"], [1, 1, 1, 1]),
        (["Q"], [0, 0, 0, 0]),
    ],
)
def test_texts_without_hope(patterns: list[str], hopes: list[int]) -> None:
    batch = Batch(["a1", "b", "@", ""])
    assert list(Hopes(patterns).of(batch.joined_plain, batch.starts)) == hopes
