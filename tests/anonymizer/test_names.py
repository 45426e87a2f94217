"""Names through a dictionary: tokens, delimiters, capitals, unknown names, narrow columns."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.anonymizer.imitation import Imitation
from dbmask.anonymizer.names import Names, dictionary_key, recase, tokens
from dbmask.errors import MaskError
from dbmask.masks.build import example_keys

IMITATION = Imitation(example_keys().column("anonymizer"))
DICTIONARY = {
    "JAN": "PETR",
    "PETR": "TOMÁŠ",
    "TOMÁŠ": "JAN",
    "ANNA": "EVA",
    "MARIE": "ANNA",
    "EVA": "MARIE",
    "NOVÁK": "SVOBODA",
    "O'BRIEN": "O'HARA",
    "D'ARTAGNAN": "O'HARA",
    "MCDONALD": "MACLEAN",
    "MACLEAN": "MCDONALD",
    "J": "K",
}


def names(on_invalid: str = "keep", limit: int | None = None) -> Names:
    return Names(DICTIONARY, on_invalid, IMITATION, limit)


def one(value: str | None, masker: Names | None = None) -> tuple[bool, str | None]:
    failed, made = (masker or names()).run([value], "firstName")
    return any(failed), made[0]


@pytest.mark.parametrize(
    ("given_", "made"),
    [
        ("Jan", "Petr"),
        ("JAN", "PETR"),
        ("jan", "petr"),
        ("jAN", "pETR"),
        ("JaN", "PeTR"),
        ("Petr", "Tomáš"),
        ("petR", "tomÁŠ"),
        ("Jan Petr", "Petr Tomáš"),
        ("Jan-Petr", "Petr-Tomáš"),
        ("Jan  Petr, ml.", None),
        ("  Jan ", "  Petr "),
        ("Jan2", "Petr2"),
        ("2Jan3Petr4", "2Petr3Tomáš4"),
        ("Jan/Petr.", "Petr/Tomáš."),
        ("O'Brien", "O'Hara"),
        ("O’Brien", "O’Hara"),
        ("o'brien", "o'hara"),
        ("O'BRIEN", "O'HARA"),
        ("O'brien", "O'hara"),
        ("D'Artagnan", "O'Hara"),
        ("d'Artagnan", "o'Hara"),
        ("McDonald", "MaClean"),
        ("MacLean", "McdOnald"),
        ("J. Novák", "K. Svoboda"),
        ("Toma\u0301s\u030c", "Jan"),
        ("Tomáš", "Jan"),
        ("'", None),
        ("'Jan'", None),
        ("123", None),
        (" ", None),
        ("Jan Xaver", None),
        ("Xaver", None),
        ("", ""),
        (None, None),
    ],
)
def test_names(given_: str | None, made: str | None) -> None:
    failed, result = one(given_)
    if made is None and given_:
        assert (failed, result) == (True, given_)
    else:
        assert (failed, result) == (False, made)


@given(st.text(max_size=30))
def test_tokens_and_delimiters_make_up_the_text(text: str) -> None:
    runs = tokens(text)
    assert "".join(run for _, run in runs) == text
    assert all(word == all(c.isalpha() or c in "'’" for c in run) for word, run in runs)


@given(st.text(max_size=30))
def test_what_is_not_known_stays_as_it_is(text: str) -> None:
    failed, made = one(text)
    assert failed == (bool(text) and made == text)


@given(st.lists(st.sampled_from(sorted(DICTIONARY)), min_size=1, max_size=4), st.sampled_from([" ", "-", ", ", "2"]))
def test_delimiters_and_simple_cases_are_kept(words: list[str], glue: str) -> None:
    for case in (str.upper, str.lower):
        value = case(glue.join(words))
        assert one(value) == (False, case(glue.join(DICTIONARY[w] for w in words)))


@given(st.text(st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=12), st.sampled_from(["SVOBODA", "LI"]))
def test_recase_keeps_the_name_and_puts_capitals_where_they_were(pattern: str, name: str) -> None:
    made = recase(pattern, name)
    assert made.upper() == name
    if len(pattern) > 1 and pattern == pattern.upper() != pattern.lower():
        assert made == name or pattern[1:] == pattern[1:].lower()


def test_a_name_in_nfc_and_its_decomposed_form_are_one_name() -> None:
    assert dictionary_key(unicodedata.normalize("NFD", "tomáš")) == "TOMÁŠ"
    assert dictionary_key("o’brien") == "O'BRIEN"


def test_on_invalid() -> None:
    assert one("Jan Xaver", names("null")) == (True, None)
    failed, made = one("Jan Xaver", names("replace"))
    assert failed
    assert made is not None
    assert made.startswith("Petr ")
    assert made != "Petr Xaver"
    assert made[5].isupper()
    assert made[6:].islower()
    with pytest.raises(MaskError, match="does not know") as caught:
        one("Jan Xaver", names("error"))
    assert "Xaver" not in str(caught.value)
    with pytest.raises(MaskError, match="firstName must be text"):
        names().run([5], "firstName")


def test_a_narrow_column_gets_names_that_fit() -> None:
    """Names of at most four letters go round among themselves: PETR -> TOMÁŠ -> JAN."""
    narrow = names(limit=4)
    assert [one(n, narrow)[1] for n in ("Jan", "Petr", "Anna")] == ["Petr", "Jan", "Eva"]
    assert one("Novák", names(limit=5))[1] == "Svobo"  # nothing fits on the way
    assert one("Jan Jan", names(limit=7))[1] == "Petr Pe"


def test_what_is_remembered_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask.anonymizer.names._MEMO", 10)
    masker = names("replace")
    values = [f"Jan{i}" if i % 2 else f"Xaver{i}" for i in range(50)]
    first = masker.run(values, "firstName")
    assert masker.run(values, "firstName") == first
    assert first[1] == [one(v, names("replace"))[1] for v in values]
