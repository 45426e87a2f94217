"""Dictionaries made of tables of names: groups, bins, cycles, pairs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmask.anonymizer.name_builder import NameRow, build_names, read_names
from dbmask.anonymizer.surnames import feminine_forms, partners
from dbmask.errors import PolicyError
from dbmask.masks.build import example_keys
from tests.real import real

KEY = example_keys().column("anonymizer").sub("names")


def rows(names: str, gender: str = "m", usage: str = "first", start: int = 1_000) -> list[NameRow]:
    return [NameRow(n, start - i, gender, usage) for i, n in enumerate(names.split())]


ROWS = st.lists(
    st.builds(
        NameRow,
        st.text(st.sampled_from("abčd'e -"), min_size=1, max_size=4),
        st.none() | st.integers(0, 5),
        st.sampled_from("mfn"),
        st.sampled_from(["first", "last", "both"]),
        st.none() | st.text(st.sampled_from("abčd"), min_size=1, max_size=3),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(ROWS, st.integers(2, 9) | st.none())
def test_a_dictionary_is_a_bijection_without_fixed_points(table: list[NameRow], size: int | None) -> None:
    made = build_names(table, KEY, size)
    assert set(made.dictionary) == set(made.dictionary.values())
    assert all(name != other for name, other in made.dictionary.items())
    assert all(name == name.upper() for name in made.dictionary)
    alone = {n for g in made.groups for n in g.left_out}
    assert not alone & set(made.dictionary)
    assert sum(g.names for g in made.groups) == len(made.dictionary)
    reversed_ = build_names(list(reversed(table)), KEY, size)
    assert set(reversed_.dictionary) == set(made.dictionary)


def test_bins_keep_frequencies_apart() -> None:
    made = build_names(rows("a b c d e f g h i"), KEY, 3).dictionary
    assert {made[n] for n in "ABC"} == set("ABC")
    assert {made[n] for n in "GHI"} == set("GHI")
    last = build_names(rows("a b c d e f g"), KEY, 3).dictionary
    assert {last[n] for n in "DEFG"} == set("DEFG")  # a last bin of one joins the one before


def test_nine_groups_keep_to_themselves() -> None:
    table = [
        *rows("jan petr", "m", "first"),
        *rows("eva jana", "f", "first"),
        *rows("sasa nikola", "n", "first"),
        *rows("dvořák kos", "m", "last"),
        *rows("malá bílá", "f", "last"),
        *rows("janků martinů", "n", "last"),
        *rows("pavel", "m", "first"),
        *rows("pavel marek", "m", "last"),
        *rows("marek", "m", "first"),
        *rows("nela zoe", "f", "both"),
        *rows("rené", "m", "both"),
        *rows("rené kim", "f", "both"),
        *rows("kim", "m", "first"),
    ]
    made = build_names(table, KEY)
    d = made.dictionary
    for pair in (
        "JAN PETR",
        "EVA JANA",
        "SASA NIKOLA",
        "DVOŘÁK KOS",
        "MALÁ BÍLÁ",
        "JANKŮ MARTINŮ",
        "PAVEL MAREK",
        "NELA ZOE",
        "RENÉ KIM",
    ):
        one, other = pair.split()
        assert (d[one], d[other]) == (other, one)
    assert sum(1 for g in made.groups if g.bins) == 9


def test_groups_of_one_are_left_out_and_reported() -> None:
    made = build_names([*rows("jan petr"), *rows("eva", "f"), NameRow("Da Silva", 3, "n", "last")], KEY)
    assert set(made.dictionary) == {"JAN", "PETR"}
    assert [(g.name, g.left_out) for g in made.groups if g.left_out] == [("feminine, first", ("EVA",))]
    assert made.left_out == ("Da Silva",)
    assert made.report() == (
        "masculine, first: 2 names in 1 bin\nleft out, alone in their group: EVA (feminine, first)\n"
        "left out, of several words: 1 (Da Silva)"
    )


def test_both_forms_of_a_surname_move_together() -> None:
    men, women = "Novák Svoboda Novotný Hájek Vaněk Němec", "Nováková Svobodová Novotná Hájková Vaňková Němcová"
    made = build_names([*rows(men, "m", "last"), *rows(women, "f", "last", 900)], KEY, None).dictionary
    pairs = dict(zip(men.upper().split(), women.upper().split(), strict=True))
    for man, woman in pairs.items():
        assert pairs[made[man]] == made[woman]


def test_a_table_may_say_who_belongs_together() -> None:
    table = [
        NameRow("Krejčí", 9, "m", "last", "Krejčová"),
        NameRow("Krejčová", 8, "f", "last"),
        NameRow("Kos", 9, "m", "last"),
        NameRow("Kosí", 8, "f", "last", "Kos"),
    ]
    made = build_names(table, KEY).dictionary
    assert made == {"KREJČÍ": "KOS", "KOS": "KREJČÍ", "KREJČOVÁ": "KOSÍ", "KOSÍ": "KREJČOVÁ"}


def test_bins_of_one_are_refused() -> None:
    with pytest.raises(PolicyError, match=r"bin \(1\) must be 2 or more"):
        build_names(rows("a b"), KEY, 1)


@pytest.mark.parametrize(
    ("masculine", "feminine"),
    [
        ("NOVÁK", "NOVÁKOVÁ"),
        ("SVOBODA", "SVOBODOVÁ"),
        ("NOVOTNÝ", "NOVOTNÁ"),
        ("HÁJEK", "HÁJKOVÁ"),
        ("NĚMEC", "NĚMCOVÁ"),
        ("HAVEL", "HAVLOVÁ"),
        ("VANĚK", "VAŇKOVÁ"),
        ("DANĚK", "DAŇKOVÁ"),
        ("HRDĚK", "HRĎKOVÁ"),
        ("MATĚK", "MAŤKOVÁ"),
        ("RICHTER", "RICHTEROVÁ"),
        ("JURČO", "JURČOVÁ"),
        ("PROKEŠ", "PROKEŠOVÁ"),
        ("LEV", "LEVOVÁ"),
    ],
)
def test_the_likeliest_feminine_form(masculine: str, feminine: str) -> None:
    assert feminine_forms(masculine)[0] == feminine


def test_partners_are_one_to_one() -> None:
    found = partners(["HANZEL", "HANZLA", "HANZLOVÁ", "KOS", "KOSOVÁ"])
    assert found["KOS"] == "KOSOVÁ"
    assert len(set(found.values())) == len(found) == 2


def test_tables_are_read(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text('\ufeffname,count,gender,usage,pair\nJan,5,m,first,\n"Novák",,m,last,Nováková\n', "utf-8")
    assert read_names(path) == [NameRow("Jan", 5, "m", "first"), NameRow("Novák", None, "m", "last", "Nováková")]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("name,count\nJan,5\n", "has no column 'gender'"),
        ("nam,count,gender,usage\n", "has no column 'name' (did you mean nam?)"),
        ("", "has no column 'name'"),
        ("name,count,gender,usage\nJan,5,x,first\n", ":2: gender must be m, f, n"),
        ("name,count,gender,usage\n\nJan,5,m,middle\n", ":3: usage must be first, last, both"),
        ("name,count,gender,usage\nJan,-5,m,first\n", ":2: count must be a number"),
        ("name,count,gender,usage\n,5,m,first\n", ":2: has no name"),
        ("name,count,gender,usage\nJan,5,m,first,more\n", ":2: has more fields than the header"),
        ('name,count,gender,usage\n"Jan"x,5,m,first\n', "is not CSV"),
    ],
)
def test_wrong_tables_are_named_by_line(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "names.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(PolicyError) as caught:
        read_names(path)
    assert what in str(caught.value)


def test_unreadable_tables(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        read_names(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("name,count,gender,usage\nJiří".encode("iso-8859-2"))
    with pytest.raises(PolicyError, match="is not UTF-8 at byte"):
        read_names(tmp_path / "latin.csv")


def test_registers_give_the_real_thing() -> None:
    table = read_names(real("data/cz_first_names.csv")) + read_names(real("data/cz_last_names.csv"))
    made = build_names(table, KEY)
    d = made.dictionary
    assert len(d) > 5_000
    assert set(d) == set(d.values())
    counts = {r.name.upper(): r.count or 0 for r in table if r.usage == "last"}
    # A frequent surname becomes one about as frequent.
    assert counts[d["NOVÁK"]] > 10_000
    pairs = {r.name.upper(): r.pair.upper() for r in table if r.pair and r.gender == "m"}
    moved = [(m, f) for m, f in pairs.items() if m in d and f in d and pairs.get(d[m]) == d[f]]
    assert len(moved) > 1_500
    # Told from the forms alone, nearly all pairs are those of the table.
    told = partners({r.name.upper() for r in table if r.usage == "last"})
    known = {m: f for m, f in pairs.items() if f in counts}
    assert sum(told.get(m) == f for m, f in known.items()) > 0.97 * len(known)
