"""The matchers one by one: words of lists, values of the row, patterns, numbers; and their filters."""

from __future__ import annotations

import csv
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError, MaskError, PolicyError
from dbmask.text import TextMasker
from dbmask.text.builtin import builtin_list
from dbmask.text.fold import fold


def masker(matchers: dict[str, Any], folder: Path | str = ".", **more: Any) -> TextMasker:
    labels = dict.fromkeys(r["label"] for rules in matchers.values() for r in rules)
    masks = [{"label": label, "masks": [{"type": "fixed", "value": f"[{label}]"}]} for label in labels]
    return TextMasker({"matchers": matchers, "masks": masks, **more}, folder=folder)


def words(folder: Path, entries: list[str], *filters: dict[str, Any], **rule: Any) -> TextMasker:
    with (folder / "words.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([["id", "word"], *([str(i), e] for i, e in enumerate(entries))])
    seed = {"label": "W", "seed_file": "words.csv", "seed_column": "word", "context_filters": list(filters), **rule}
    return masker({"seed_files": [seed]}, folder)


WHOLE = {"type": "match_whole_words_only"}


@pytest.mark.parametrize(
    ("entries", "filters", "text", "output"),
    [
        (["ann"], [], "Hannah, ANN", "H[W]ah, [W]"),
        (["ann"], [WHOLE], "Hannah, ANN", "Hannah, [W]"),
        (["New York", "York City"], [], "New York City", "[W]"),
        # The long entry splits a word; the short one inside it does not.
        (["Ann", "Ann Le"], [WHOLE], "Ann Lee", "[W] Lee"),
        (["van der Berg"], [WHOLE], "von van der Berg, van-der-Berg", "von [W], van-der-Berg"),
        (["A.C. (NZ)"], [WHOLE], "A.C. (NZ) and A.C. (NZ)x", "[W] and [W]x"),
        (["jose"], [WHOLE], "José Jose Jose\u0301", "José [W] Jose\u0301"),
        (["José"], [WHOLE], unicodedata.normalize("NFD", "hola José!"), "hola [W]!"),
        (["Straße"], [], "🙂 STRAßE", "🙂 [W]"),
        (["istanbul"], [], "İSTANBUL", "[W]"),
        ([" Tom "], [], "Tom", "[W]"),
        (["", "  ", "Tom"], [], "Tom  ", "[W]  "),
        (["a"], [], "aaa", "[W][W][W]"),
        (["aa"], [], "aaaa", "[W]"),
        (["Smith"], [WHOLE, {"type": "add_prefix", "prefix": "Dr. "}], "Dr. Smith", "[W]"),
        (["Tom"], [{"type": "add_suffix", "suffix": "a"}, {"type": "add_suffix", "suffix": "b"}], "Tomabab", "[W]ab"),
        (["Tom"], [{"type": "add_suffix", "suffix": "b"}, {"type": "add_suffix", "suffix": "a"}], "Tomab", "[W]b"),
        (["Tom"], [{"type": "add_prefix", "prefix": "dr. "}], "Dr. Tom", "Dr. [W]"),
        (["Tom"], [{"type": "exclude_pattern", "pattern": "^T"}], "Tom tom", "Tom [W]"),
        (
            ["Tom"],
            [{"type": "include_pattern", "pattern": r"Mr\. $", "scope": "before"}],
            "Mr. Tom, Tom",
            "Mr. [W], Tom",
        ),
        (["Tom"], [{"type": "exclude_pattern", "pattern": "^ Cat", "scope": "after"}], "Tom Cat, Tom", "Tom Cat, [W]"),
        (
            ["Tom"],
            [{"type": "include_pattern", "pattern": "born", "scope": "window", "width": 6}],
            "born Tom, but not Tom",
            "born [W], but not Tom",
        ),
    ],
)
def test_words(tmp_path: Path, entries: list[str], filters: list[dict[str, Any]], text: str, output: str) -> None:
    assert words(tmp_path, entries, *filters).mask(text).output == output


def test_words_with_their_capitals(tmp_path: Path) -> None:
    assert words(tmp_path, ["Tom"], case_sensitive=True).mask("Tom TOM tom").output == "[W] TOM tom"
    assert words(tmp_path, ["Tom"], WHOLE, case_sensitive=True).mask("Tom Tomb TOM").output == "[W] Tomb TOM"


ALPHABET = st.text("abAB é\u0301-ß", max_size=12)


@given(
    st.lists(ALPHABET.filter(lambda w: w.strip() != ""), min_size=1, max_size=6),
    st.lists(ALPHABET, min_size=1, max_size=5),
    st.booleans(),
)
def test_words_are_found_as_by_looking_for_each_everywhere(entries: list[str], texts: list[str], whole: bool) -> None:
    from dbmask.text.batch import Batch
    from dbmask.text.config import MatchWholeWordsOnly, SeedFile
    from dbmask.text.filters import whole_words_only
    from dbmask.text.fold import splits_word
    from dbmask.text.words import SeedFinder, variants

    rule = SeedFile(label="W", seed_file="x", context_filters=(MatchWholeWordsOnly(),) if whole else ())
    assert whole_words_only(rule.context_filters) is whole
    batch = Batch(texts)
    found = SeedFinder([(0, rule, entries)]).find(batch)
    expected = set()
    for i, text in enumerate(texts):
        for entry in (form for e in entries for form in variants(e)):
            for at in range(len(text)):
                end = at + len(entry)
                if fold(text)[at:end] == fold(entry) and not (
                    whole and (splits_word(text, at) or splits_word(text, end))
                ):
                    expected.add((batch.starts[i] + at, -batch.starts[i] - end, 0))
    assert set(found.hits) == expected


@pytest.mark.parametrize(
    ("seed", "says"),
    [
        ({"seed_file": "none.csv", "seed_column": "x"}, "cannot be read: No such file"),
        ({"seed_file": "words.csv", "seed_column": "x"}, "no column 'x'"),
        ({"seed_file": "words.csv"}, "has 2 columns"),
        ({"seed_file": "empty.csv", "seed_column": "word"}, "has no values"),
        ({"seed_file": "latin.csv", "seed_column": "word"}, "UTF-8"),
        ({"seed_file": "builtin:first_names_xx"}, "no built-in list 'first_names_xx'"),
    ],
)
def test_lists_that_are_not_there(tmp_path: Path, seed: dict[str, str], says: str) -> None:
    (tmp_path / "words.csv").write_text("id,word\n1,Tom\n")
    (tmp_path / "empty.csv").write_text("id,word\n1,\n")
    (tmp_path / "latin.csv").write_bytes("id,word\n1,Zoé\n".encode("latin-1"))
    with pytest.raises(BindError, match=says):
        masker({"seed_files": [{"label": "W", **seed}]}, tmp_path)


def test_builtin_lists_and_those_that_stand_in_for_another_tools() -> None:
    own = masker({"seed_files": [{"label": "W", "seed_file": "builtin:first_names_cs", "context_filters": [WHOLE]}]})
    assert own.mask("Vratislav a vratidlo").output == "[W] a vratidlo"
    seed = {
        "label": "W",
        "seed_file": "DataMasque_lastNames.csv",
        "seed_column": "lastnames",
        "context_filters": [WHOLE],
    }
    theirs = masker({"seed_files": [seed]})
    assert theirs.mask("Dr. Smith").output == "Dr. [W]"
    assert any("stands in" in w for w in theirs.warnings)


def test_masks_choose_from_the_same_lists() -> None:
    config = {
        "matchers": {"regex": [{"label": "R", "pattern": "Heiko"}]},
        "masks": [
            {
                "label": "R",
                "masks": [
                    {
                        "type": "from_file",
                        "seed_file": "DataMasque_firstNames_mixed.csv",
                        "seed_column": "firstname-mixed",
                    }
                ],
            }
        ],
    }
    made = TextMasker(config, b"a key for tests, of 32 bytes ...!").mask("Patient Heiko arrived").output
    assert made.startswith("Patient ") and "Heiko" not in made
    assert made.split()[1] in (builtin_list("first_names") or ())


# -- context_sources ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text", "output"),
    [
        ("Tom", "tom TOM Tomas", "[P] [P] [P]as"),
        ("  Tom ", "Tom", "[P]"),
        ("   ", "   ", "   "),
        (None, "None", "None"),
        (4711, "id 4711", "id [P]"),
        (4711.0, "id 4711.0", "id [P]"),
        ("a.c", "abc a.c", "abc [P]"),
        ("José", unicodedata.normalize("NFD", "José"), "[P]"),
        ("ISIK", "ışık isik", "ışık [P]"),
        ("aa", "aaa", "[P]"),
        ("Jana", "🙂🙂 Jana", "🙂🙂 [P]"),
    ],
)
def test_values_of_the_row(value: Any, text: str, output: str) -> None:
    made = masker({"context_sources": [{"label": "P", "column": "name"}]})
    assert made.mask(text, {"name": value}).output == output


def test_values_with_their_capitals_and_filters() -> None:
    rule = {"label": "P", "column": "name", "case_sensitive": True, "context_filters": [WHOLE]}
    assert masker({"context_sources": [rule]}).mask("Tom TOM Tomas", {"name": "Tom"}).output == "[P] TOM Tomas"


def test_every_row_has_its_own_values() -> None:
    made = masker({"context_sources": [{"label": "P", "column": "name"}]})
    rows: list[dict[str, Any]] = [{"name": "Tom"}, {"name": None}, {"name": "Ann"}]
    assert [r.output for r in made.mask_many(["Tom Ann"] * 3, rows)] == ["[P] Ann", "Tom Ann", "Tom [P]"]


# -- regex -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "output"),
    [
        (r"\b\d{5}\b", "90210 902101 ٩٠٢١٠", "[R] 902101 [R]"),
        (r"\bJ\w+\b", "Jiří Ján ajar", "[R] [R] ajar"),
        (r"^abc$", "abc", "[R]"),
        (r"^abc$", "xabc\nabc", "xabc\nabc"),
        (r"(?m)^abc$", "xabc\nabc", "xabc\n[R]"),
        (r"x*", "axxb", "a[R]b"),
        (r"(?i)ŽLUŤ", "žluť", "[R]"),
        (r"a.c", "a🙂c", "[R]"),
        (r"\p{Lu}\p{Ll}+", "Žofie", "[R]"),
        ("\ud83d?b", "ab", "a[R]"),
    ],
)
def test_patterns(pattern: str, text: str, output: str) -> None:
    if "\ud83d" in pattern:
        with pytest.raises((BindError, PolicyError)):
            masker({"regex": [{"label": "R", "pattern": pattern}]})
        return
    assert masker({"regex": [{"label": "R", "pattern": pattern}]}).mask(text).output == output


def test_lone_surrogates_are_kept_around_what_is_found() -> None:
    made = masker({"regex": [{"label": "R", "pattern": r"\d+"}]})
    assert made.mask("\ud800 12 \udfff").output == "\ud800 [R] \udfff"


@pytest.mark.parametrize("pattern", [r"(?=a)b", r"(?<!a)b", r"(a)\1", r"(?P<x>a)(?P=x)", r"a(?!b)", r"(?>a)"])
def test_patterns_that_backtrack_say_so(pattern: str) -> None:
    with pytest.raises(BindError, match="engine: re"):
        masker({"regex": [{"label": "R", "pattern": pattern}]})


@pytest.mark.parametrize("engine", ["re", "re2"])
def test_patterns_that_are_none(engine: str) -> None:
    with pytest.raises(BindError, match="no regular expression"):
        masker({"regex": [{"label": "R", "pattern": "(", "engine": engine}]})


def test_a_backspace_never_reaches_a_pattern() -> None:
    with pytest.raises(PolicyError, match="single quotes"):
        masker({"regex": [{"label": "R", "pattern": "\bABC\b"}]})


def test_look_around_with_backtracking() -> None:
    made = masker({"regex": [{"label": "R", "pattern": r"(?<=id )\d+(?! km)", "engine": "re"}]})
    assert made.mask("id 4711, 4712").output == "id [R], 4712"
    assert made.mask("id ž 🙂 id 1").output == "id ž 🙂 id [R]"


def test_a_pattern_that_takes_too_long_replaces_the_text_and_the_next_one_is_masked() -> None:
    rule = {"label": "R", "pattern": r"(a+)+$", "engine": "re", "time_limit": 0.3}
    made = masker({"regex": [rule]}, fallback_masks=[{"type": "fixed", "value": "[ALL]"}])
    begun = time.monotonic()
    results = made.mask_many(["a" * 60 + "b", "xaa"])
    assert time.monotonic() - begun < 20
    assert [r.output for r in results] == ["[ALL]", "x[R]"]
    assert "longer than 0.3 s" in results[0].failed
    with pytest.raises(MaskError, match=r"longer than 0\.3 s"):
        masker({"regex": [rule]}).mask("a" * 60 + "b")


def test_linear_time_on_what_is_exponential_elsewhere() -> None:
    made = masker({"regex": [{"label": "R", "pattern": r"(a+)+$"}]})
    begun = time.monotonic()
    assert made.mask("a" * 50_000 + "b").spans == ()
    assert time.monotonic() - begun < 5


# -- checksum ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "output"),
    [
        ("credit_card", "4111111111111111", "[C]"),
        ("credit_card", "4111111111111112", "4111111111111112"),
        ("credit_card", "94111111111111111", "94111111111111111"),
        ("credit_card", "4532-1234-5678-9010", "4532-1234-5678-9010"),
        ("credit_card", "4111 1111  1111 1111", "4111 1111  1111 1111"),
        ("credit_card", "x4111111111111111y", "x[C]y"),
        ("credit_card", "４１１１ １１１１ １１１１ １１１１", "[C]"),
        ("credit_card", "room 12 4111 1111 1111 1111 7", "room 12 [C] 7"),
        ("iban", "to CZ65 0800 0000 1920 0014 5399 please", "to [C] please"),
        ("iban", "cz6508000000192000145399", "[C]"),
        ("cz.rc", "rc 710319/2745, 7103192746", "rc [C], 7103192746"),
        ("cz_rc", "rc 710319/2745", "rc [C]"),
        ("us.npi", "NPI 1234567893 1234567894", "NPI [C] 1234567894"),
        ("uk_nhs", "943 476 5919", "[C]"),
        ("br_cpf", "390.533.447-05", "[C]"),
        ("isbn", "ISBN 978-0-471-11709-4 ok", "ISBN [C] ok"),
        ("luhn", "79927398713", "[C]"),
    ],
)
def test_numbers_that_check(kind: str, text: str, output: str) -> None:
    assert masker({"checksum": [{"label": "C", "type": kind}]}).mask(text).output == output


@pytest.mark.parametrize("kind", ["credit_cards", "us.zip", "../luhn", "nl.postcode", "exceptions", ""])
def test_types_that_are_none(kind: str) -> None:
    with pytest.raises((BindError, PolicyError), match=r"checksum type|at least 1"):
        masker({"checksum": [{"label": "C", "type": kind}]})


# -- ner ---------------------------------------------------------------------------------------------------------


def test_entities_by_kind_and_language() -> None:
    rules = [{"label": "PERSON"}, {"label": "WHEN", "entity": "DATE", "language": "cs"}, {"label": "ORGANIZATION"}]
    made = masker({"ner": rules})
    assert made.mask("Dr. Smith works at General Hospital since 5. května 2021 in Paris.").output == (
        "[PERSON] works at [ORGANIZATION] since [WHEN] in Paris."
    )


def test_entities_that_are_not_known_and_models_that_are_not_there() -> None:
    with pytest.raises(BindError, match="no entity 'PEOPLE'"):
        masker({"ner": [{"label": "PEOPLE"}]})
    from dbmask.errors import UsageError

    with pytest.raises(UsageError, match="spacy download xx_none"):
        masker({"ner": [{"label": "PERSON", "model": "xx_none"}]})
