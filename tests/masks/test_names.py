from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmask.errors import BindError, PolicyError
from dbmask.masks._names import FEMALE, LOCALES, MALE, book, builtin, stem
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from dbmask_sql.casing import lower, upper
from tests.masks.engines import bind, in_duckdb, in_postgres, in_python, one

if TYPE_CHECKING:
    import psycopg

TEXT = ColumnType(Kind.TEXT, "text")
INT = ColumnType(Kind.INTEGER, "integer", bits=32)
HOSTILE = [
    *("Sarah", "SARAH", "sarah", "sARAH", "J", "j", "Jan", "Jana", "Žofie", "ŽOFIE", "žofie", "O'Brien", "o'brien"),
    *("Novák", "Nováková", "NOVÁKOVÁ", "Hájek", "Hájková", "Vaněk", "Krejčí", "Svoboda", "á", "ová", "ek", "a"),
    *("", " ", "-", "\\", "'", '"', "%", "日本", "Сара", "٣", "é", "é", "😀", "x" * 300, "Jana Nováková", None),
    *("Sarah Jane Connor", "Connor, Sarah", "CONNOR, sarah", ", ", " x", "x ", "a  b", "Anne-Marie", "ß", "İ", "ǅ"),
]
MASKS = ["first_name", "last_name", "full_name"]


@pytest.mark.parametrize("locale", LOCALES)
def test_tables_are_whole(locale: str) -> None:
    first, last = builtin(locale, "first"), builtin(locale, "last")
    for names in (*first.groups.values(), *last.groups.values()):
        assert len(set(map(lower, names))) == len(names) >= 300
        assert all(" " not in n and n == n.strip() for n in names)
    assert not set(map(lower, first.groups["m"])) & set(map(lower, first.groups["f"]))
    assert ("f" in last.groups) == (locale == "cs")


def test_common_names_are_known_for_their_gender() -> None:
    men, women, _ = book(builtin("en", "first"), None).pools
    assert all(men.holds(n) for n in ("john", "james", "peter", "edward", "jan"))
    assert all(women.holds(n) for n in ("sarah", "mary", "anna", "jennifer", "jana"))


@given(st.sampled_from(["Sarah", "Mary", "John", "Peter", "Anna"]), st.sampled_from(LOCALES))
def test_a_known_name_keeps_its_gender(name: str, locale: str) -> None:
    sign = "m" if name in ("John", "Peter") else "f"
    assert one({"mask": "first_name", "locale": locale}, TEXT, name) in builtin(locale, "first").groups[sign]


def test_the_gender_column_decides() -> None:
    table = builtin("cs", "first")
    bound = bind({"mask": "first_name", "locale": "cs", "gender": "sex"}, TEXT, {"sex": TEXT})
    assert bound.inputs == ("v", "sex")
    assert not bound.promises.value_only
    for told, sign in (*((w, "m") for w in MALE), *((w, "f") for w in FEMALE), ("MUŽ", "m"), ("Žena", "f")):
        assert in_python(bound, {"v": ["Kim"], "sex": [told]})[0] in table.groups[sign], told
    unknown = in_python(bound, {"v": ["Jana"] * 3, "sex": [None, "x", ""]})
    assert unknown == [one({"mask": "first_name", "locale": "cs"}, TEXT, "Jana")] * 3


def test_genders_by_number() -> None:
    bound = bind({"mask": "first_name", "gender": "sex"}, TEXT, {"sex": INT})
    made = in_python(bound, {"v": ["Kim", "Kim"], "sex": [1, 2]})
    table = builtin("en", "first").groups
    assert made[0] in table["m"] and made[1] in table["f"]


@pytest.mark.parametrize("mask", MASKS)
@given(st.text(min_size=1, max_size=30))
def test_never_the_same_name_and_never_an_error(mask: str, value: str) -> None:
    made = one(mask, TEXT, value)
    assert made and lower(made) != lower(value)


@pytest.mark.parametrize("mask", ["first_name", "last_name"])
def test_the_case_pattern_is_kept(mask: str) -> None:
    plain = one(mask, TEXT, "Connor")
    assert one(mask, TEXT, "CONNOR") == upper(plain) != plain
    assert one(mask, TEXT, "connor") == lower(plain) != plain
    assert one(mask, TEXT, "cOnnor") == plain
    assert one(mask, TEXT, "C") != upper(one(mask, TEXT, "C"))


def test_many_names_come_out() -> None:
    made = in_python(bind("last_name", TEXT), {"v": [f"Name{i}" for i in range(5000)]})
    counts = Counter(made)
    assert len(counts) > 900
    assert max(counts.values()) < 25


def test_czech_surnames_keep_their_gender_and_move_in_pairs() -> None:
    spec = {"mask": "last_name", "locale": "cs"}
    groups = builtin("cs", "last").groups
    pairs = dict(zip(groups["m"], groups["f"], strict=True))
    for man, woman in [("Novák", "Nováková"), ("Hájek", "Hájková"), ("Novotný", "Novotná"), ("Svoboda", "Svobodová")]:
        assert pairs[one(spec, TEXT, man)] == one(spec, TEXT, woman)


def test_stems_of_all_pairs_agree() -> None:
    groups = builtin("cs", "last").groups
    pairs = list(zip(groups["m"], groups["f"], strict=True))
    agreeing = sum(stem(lower(m)) == stem(lower(f)) for m, f in pairs)
    assert agreeing > 0.95 * len(pairs)


def test_full_names_are_made_of_the_same_parts() -> None:
    for locale in LOCALES:
        first = one({"mask": "first_name", "locale": locale}, TEXT, "Jana")
        last = one({"mask": "last_name", "locale": locale}, TEXT, "Nováková")
        full = {"mask": "full_name", "locale": locale}
        assert one(full, TEXT, "Jana Nováková") == f"{first} {last}"
        assert one(full, TEXT, "Jana Marie Nováková") == f"{first} {last}"
        assert one(full, TEXT, "Nováková, Jana") == f"{last}, {first}"
        assert one(full, TEXT, "NOVÁKOVÁ, Jana") == f"{upper(last)}, {first}"
        assert one(full, TEXT, "Jana") == first


def test_a_domain_joins_and_separates_all_three() -> None:
    other = {"locale": "cs", "domain": "staff"}
    first = one({"mask": "first_name", **other}, TEXT, "Jana")
    last = one({"mask": "last_name", **other}, TEXT, "Nováková")
    assert one({"mask": "full_name", **other}, TEXT, "Jana Nováková") == f"{first} {last}"
    assert (first, last) != (
        one({"mask": "first_name", "locale": "cs"}, TEXT, "Jana"),
        one({"mask": "last_name", "locale": "cs"}, TEXT, "Nováková"),
    )


@pytest.mark.parametrize("length", [4, 5, 7, 10])
def test_names_fit_the_column(length: int) -> None:
    type_ = ColumnType(Kind.TEXT, f"varchar({length})", length=length)
    values = [f"Name{i}" for i in range(500)]
    for mask in ("first_name", "last_name"):
        narrow, wide = in_python(bind(mask, type_), {"v": values}), in_python(bind(mask, TEXT), {"v": values})
        assert max(map(len, narrow)) <= length
        assert all(n == w for n, w in zip(narrow, wide, strict=True) if len(w) <= length)
    full = ColumnType(Kind.TEXT, "varchar", length=2 * length + 2)
    made = in_python(bind("full_name", full), {"v": [f"{v} {v}" for v in values] + [f"{v}, {v}" for v in values]})
    assert max(map(len, made)) <= 2 * length + 2


def test_columns_that_no_name_fits_are_refused() -> None:
    for mask in MASKS:
        with pytest.raises(BindError, match="imitate"):
            bind(mask, ColumnType(Kind.TEXT, "varchar(1)", length=1))
        with pytest.raises(BindError, match="makes text"):
            bind(mask, INT)
        with pytest.raises(BindError, match="`gender` names column"):
            bind({"mask": mask, "gender": "nope"}, TEXT)
        with pytest.raises(BindError, match="must hold text"):
            bind({"mask": mask, "gender": "b"}, TEXT, {"b": ColumnType(Kind.BYTES, "bytea")})
    with pytest.raises(PolicyError, match="locale"):
        build_mask({"mask": "first_name", "locale": "de"})


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("locale", LOCALES)
def test_engines_agree(mask: str, locale: str, pg: psycopg.Connection[Any]) -> None:
    for type_, sql in ((TEXT, "text"), (ColumnType(Kind.TEXT, "varchar(12)", length=12), "varchar(500)")):
        bound = bind({"mask": mask, "locale": locale}, type_)
        expected = in_python(bound, {"v": HOSTILE})
        assert in_postgres(bound, {"v": sql}, {"v": HOSTILE}, pg) == expected
        assert in_duckdb(bound, {"v": sql}, {"v": HOSTILE}) == expected


@pytest.mark.parametrize("mask", MASKS)
def test_engines_agree_on_gender(mask: str, pg: psycopg.Connection[Any]) -> None:
    told = [None, "M", "žena", "x", "FEMME", "1", "2", ""]
    rows: dict[str, list[Any]] = {"v": ["Kim"] * 8 + ["Jana Nováková"] * 8, "sex": told * 2}
    bound = bind({"mask": mask, "gender": "sex", "locale": "cs"}, TEXT, {"sex": TEXT})
    expected = in_python(bound, rows)
    types = {"v": "text", "sex": "text"}
    assert in_postgres(bound, types, rows, pg) == expected
    assert in_duckdb(bound, types, rows) == expected


def _file(folder: Path, rows: int = 400) -> str:
    lines = ["name,count,gender,usage"]
    for g in "mf":
        lines += [f"{g.upper()}{'abcdefghij'[i % 10]}{i},{(rows - i) ** 2},{g},first" for i in range(rows)]
    lines += [f"Last{i},{rows - i},n,last" for i in range(rows)]
    lines += ["Robin,70,m,first", "Robin,90000,f,first", "Both,1,n,both"]
    path = folder / "names.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def test_a_table_of_ones_own_follows_its_frequencies(tmp_path: Path) -> None:
    spec = {"mask": "first_name", "names": _file(tmp_path)}
    bound = bind(spec, TEXT)
    for g in "MF":
        values = [f"{g}{'abcdefghij'[i % 10]}{i}" for i in range(400)]
        for i, name in enumerate(in_python(bound, {"v": values})):
            # The same gender, and a rank within the same eighth.
            assert name == "Robin" or (name[0] == g and abs(int(name[2:]) - i) <= 51)
    assert in_python(bound, {"v": ["Robin"]})[0][0] == "F"  # borne by more women
    rare = in_python(bound, {"v": [f"Unknown{i}" for i in range(100)]})
    assert all(n == "Both" or int(n[2:]) >= 345 for n in rare)


def test_engines_agree_on_a_table_of_ones_own(tmp_path: Path, pg: psycopg.Connection[Any]) -> None:
    values = ["Ma0", "MA0", "fb391", "Robin", "nobody", "Both", None, ""]
    spec = {"mask": "first_name", "names": _file(tmp_path)}
    bound = bind(spec, TEXT)
    expected = in_python(bound, {"v": values})
    assert in_postgres(bound, {"v": "text"}, {"v": values}, pg) == expected
    assert in_duckdb(bound, {"v": "text"}, {"v": values}) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,count\nA,1\n", "needs the columns"),
        ("name,count,gender,usage\nA,1,q,first\n", "line 2"),
        ("name,count,gender,usage\nA,many,m,first\n", "count is no number"),
        ("name,count,gender,usage\nA,1,m,last\nB,1,m,last\n", "holds no first names"),
    ],
)
def test_a_table_that_is_none_is_refused_without_its_names(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "n.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(PolicyError, match=message):
        build_mask({"mask": "first_name", "names": str(path)})
    with pytest.raises(PolicyError, match="cannot be read"):
        build_mask({"mask": "first_name", "names": str(tmp_path / "nope.csv")})
    with pytest.raises(PolicyError, match="builtin:en"):
        build_mask({"mask": "first_name", "names": "builtin:xx"})


def test_builtin_tables_have_names() -> None:
    assert one({"mask": "first_name", "names": "builtin:cs"}, TEXT, "Jan") == one(
        {"mask": "first_name", "locale": "cs"}, TEXT, "Jan"
    )


@settings(max_examples=20)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=30))
def test_duckdb_agrees_on_any_text(values: list[str]) -> None:
    given = [v.replace("\0", "") for v in values]
    bound = bind({"mask": "full_name", "locale": "cs"}, TEXT)
    assert in_duckdb(bound, {"v": "text"}, {"v": given}) == in_python(bound, {"v": given})
