"""Primitives that no mask shows in every shape: long lists, odd columns, infinite dates, patterns, days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlglot import exp

from dbmask.masks._constants import as_constant, constant_sql
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text, tuple_text
from dbmask_sql.casing import lower, upper
from dbmask_sql.dialects import integer
from dbmask_sql.patterns import portable
from tests.conformance.engines import Engine
from tests.conformance.setups import KEYS, canonical_column
from tests.conformance.values import hostile
from tests.masks.engines import bind, in_python
from tests.sql.test_patterns import PATTERNS, SUBJECTS

TEXT = ColumnType(Kind.TEXT, "text")
BIG = ColumnType(Kind.INTEGER, "bigint", bits=64)


def run(
    engine: Engine,
    type_: ColumnType,
    values: Sequence[Any],
    build: Callable[[Any, Any], Any],
    out: ColumnType = TEXT,
) -> list[Any]:
    """One expression of one column over some values."""
    got = engine.evaluate([type_], [values], lambda e, d: [build(e[0], d)], KEYS, [out])
    assert got is not None
    return got.made[0]


def _word(key: str, index: int, value: Any, dialect: Any) -> Any:
    return dialect.prf_word(dialect.plain(value), key, index)


def _compared(node: Any, other: Any, value: Any, dialect: Any) -> Any:
    return dialect.compare(node, dialect.plain(value), other.copy())


@pytest.mark.parametrize("count", [1, 63, 64, 65, 5000])
def test_choose_from_long_lists(engine: Engine, count: int) -> None:
    listed = [f"v{i}'\"\\ž" for i in range(count)]
    places = sorted({0, count // 2, count - 1})
    assert run(engine, BIG, places, lambda v, d: d.choose(listed, v)) == [listed[i] for i in places]


def test_words(engine: Engine) -> None:
    values = ["", "a", "ž🙂"]
    key = KEYS.column("words")
    for index in range(4):
        made = run(engine, TEXT, values, partial(_word, key.name, index), BIG)
        assert made == [key.word(v.encode(), index) for v in values]
    short = run(engine, TEXT, values, lambda v, d: d.prf_short_hex(d.plain(v), key.name))
    assert short == [key.short(v.encode()).hex() for v in values]


@pytest.mark.parametrize("pattern", PATTERNS[:-1])
def test_patterns_find_alike(engine: Engine, pattern: str) -> None:
    import re

    parsed = portable(pattern)
    found = run(engine, TEXT, SUBJECTS, lambda v, d: d.contains(d.plain(v), parsed), ColumnType(Kind.BOOLEAN))
    search = re.compile(parsed.written(r"\Z")).search
    assert [bool(f) for f in found] == [search(s) is not None for s in SUBJECTS]


def test_texts_compare_by_code_points(engine: Engine) -> None:
    texts = ["a", "A", "á", "a ", " a", "", "ž", "Z", "ss", "ß", "🙂", "\U0001f642a", "aa"]
    for node, holds in ((exp.EQ, str.__eq__), (exp.LT, str.__lt__), (exp.GT, str.__gt__)):
        for other in texts:
            literal = exp.Literal.string(other)
            made = run(engine, TEXT, texts, partial(_compared, node, literal))
            assert [bool(m) for m in made] == [holds(t, other) for t in texts]


@pytest.mark.slow
def test_letters_of_every_plane(engine: Engine) -> None:
    """Each letter alone, so that a database which learns new letters is noticed."""
    points = [c for c in range(1, 0x11000) if not 0xD800 <= c < 0xE000 and (c < 0x3000 or c > 0xA000)]
    texts = [f"{chr(c)}é" for c in points]
    for to_upper, python in ((True, upper), (False, lower)):
        made = engine.evaluate([TEXT], [texts], partial(_recased, to_upper), KEYS)
        assert made is None or made.made[0] == [python(t) for t in texts]
        assert made is not None or engine.name == "mysql"


def _recased(to_upper: bool, exprs: Any, dialect: Any) -> Any:
    made = dialect.change_case(dialect.plain(exprs[0]), to_upper)
    return None if made is None else [made]


def test_places_and_pieces(engine: Engine) -> None:
    values = ["", "a", "🙂b🙂", "xbyb"]
    assert run(engine, TEXT, values, lambda v, d: d.find(d.plain(v), "b"), BIG) == [0, 0, 2, 2]
    assert run(engine, TEXT, values, lambda v, d: d.right(d.plain(v), 2)) == ["", "a", "b🙂", "yb"]
    assert run(engine, TEXT, values, lambda v, d: d.repeat("🙂", exp.Sub(this=d.length(v), expression=integer(2)))) == [
        "",
        "",
        "🙂",
        "🙂🙂",
    ]


def test_tuples(engine: Engine) -> None:
    values = ["", "a", "1:a,", "~", None, "🙂"]
    made = run(engine, TEXT, values, lambda v, d: d.tuple_text([d.plain(v), d.plain(v.copy())]))
    assert made == [tuple_text([v, v]) for v in values]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Kind.TEXT, "it's \\ ž"),
        (Kind.INTEGER, -(2**63)),
        (Kind.DECIMAL, "-1234567890123.25"),
        (Kind.FLOAT, -2.5),
        (Kind.BOOLEAN, True),
        (Kind.DATE, "2024-02-29"),
        (Kind.TIME, "10:30:00.25"),
        (Kind.TIMESTAMP, "2024-02-29T10:30:00.25"),
        (Kind.TIMESTAMPTZ, "2024-02-29T10:30:00+02:00"),
        (Kind.UUID, "6BA7B810-9dad-11d1-80b4-00c04fd430c8"),
        (Kind.BYTES, "ž\x01"),
    ],
)
def test_constants(engine: Engine, kind: Kind, written: Any) -> None:
    type_ = ColumnType(kind)
    value = as_constant(written, type_, "value")
    made = run(engine, TEXT, ["x"], lambda _, d: constant_sql(value, kind, d), type_)
    assert canonical_column(made, type_) == canonical_column([value], type_)


DAYS = [
    (ColumnType(Kind.DATE, "date"), dt.date(2024, 2, 29)),
    (ColumnType(Kind.TIMESTAMP, "timestamp"), dt.datetime(2024, 3, 30, 2, 30, 0, 5)),
    (ColumnType(Kind.TIMESTAMPTZ, "timestamptz"), dt.datetime(2024, 3, 30, 2, 30, tzinfo=dt.UTC)),
]


@pytest.mark.parametrize(("type_", "value"), DAYS, ids=lambda v: str(v))
@pytest.mark.parametrize("days", [0, 1, -60, 365])
def test_days_are_of_24_hours(engine: Engine, type_: ColumnType, value: Any, days: int) -> None:
    made = run(engine, type_, [value, None], lambda v, d: d.add_days(v, integer(days), type_.kind), type_)
    assert canonical_column(made, type_) == canonical_column([value + dt.timedelta(days=days), None], type_)


ODD_TEXTS = ["Čeněk", "A", "a ", "", "x'y\\"]
ODD_COLUMNS = {
    "postgres": ["citext", 'text COLLATE "odd_nondeterministic"', "char(12)", "name", 'text COLLATE "en-x-icu"'],
    "mysql": [
        "text!latin2 COLLATE latin2_czech_cs",
        "text!latin1",
        "text!utf8mb4 COLLATE utf8mb4_general_ci",
        "text!ascii",
        "text!utf8mb4 COLLATE utf8mb4_bin",
        "text!ucs2",
    ],
}
SPECS: list[Any] = [
    "hash",
    {"mask": "hash", "keyed": False},
    {"mask": "redact", "keep_start": 1},
    {"mask": "replace", "old": "a", "new": "ž"},
    {"mask": "generalize", "depth": 1},
    "email",
    {
        "mask": "when",
        "if": {"column": "v", "in": ["a", "čeněk"]},
        "then": {"mask": "fixed", "value": "X"},
        "else": "keep",
    },
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_odd_columns(engine: Engine, spec: Any) -> None:
    """Whatever the column's collation, padding and character set, a mask sees its text."""
    if engine.name == "postgres":
        engine.execute("CREATE EXTENSION IF NOT EXISTS citext")
        made = "CREATE COLLATION IF NOT EXISTS odd_nondeterministic (provider=icu, locale='und-u-ks-level1', deterministic=false)"
        engine.execute(made)
    for sql in ODD_COLUMNS.get(engine.name, ["text"]):
        texts = [t for t in ODD_TEXTS if t.isascii() or ("latin1" not in sql and "ascii" not in sql)]
        type_ = ColumnType(Kind.TEXT, sql, length=12 if "char(" in sql else None, padded="char(" in sql)
        bound = bind(spec, ColumnType(Kind.TEXT, sql, padded=type_.padded))
        got = engine.evaluate([type_], [texts], bound.sql, KEYS)
        assert got is not None
        assert [str(m).rstrip(" ") for m in got.made[0]] == [
            m.rstrip(" ") for m in in_python(bound, {"v": got.raw[0]})
        ], sql


LONG_TEXTS = [c * n for n in (1, 15, 16, 17, 32, 63, 64, 65, 100, 255, 256, 257, 1000) for c in ("a", "ž", "😀")]


@pytest.mark.parametrize(
    "spec",
    [
        "redact",
        {"mask": "redact", "char": "ž"},
        {"mask": "redact", "keep_start": 1, "keep_end": 3},
        {"mask": "redact", "keep_start": 70},
    ],
    ids=str,
)
def test_texts_of_any_length_are_redacted_alike(engine: Engine, spec: Any) -> None:
    texts = [None, "", *LONG_TEXTS]
    bound = bind(spec, ColumnType(Kind.TEXT, "text"))
    got = engine.evaluate([ColumnType(Kind.TEXT, "text")], [texts], bound.sql, KEYS)
    assert got is not None
    assert got.made[0] == in_python(bound, {"v": texts})


# -- what Python cannot hold -----------------------------------------------------------------------------------------

FAR = [
    (Kind.DATE, "infinity", "infinity"),
    (Kind.DATE, "-infinity", "-infinity"),
    (Kind.DATE, "10000-01-01", "10000-01-01"),
    (Kind.DATE, "0044-03-15 BC", "0044-03-15 BC"),
    (Kind.TIMESTAMP, "infinity", "infinity"),
    (Kind.TIMESTAMP, "0044-03-15 10:00:00.5 BC", "0044-03-15T10:00:00.500000 BC"),
    (Kind.TIMESTAMP, "10000-01-01 00:00:00", "10000-01-01T00:00:00.000000"),
    (Kind.TIMESTAMPTZ, "-infinity", "-infinity"),
    (Kind.TIMESTAMPTZ, "0044-03-15 10:00:00+00 BC", "0044-03-15T10:00:00.000000Z BC"),
]


@pytest.mark.parametrize(("kind", "written", "canonical"), FAR)
@pytest.mark.parametrize("name", ["postgres", "duckdb"])
def test_far_and_infinite_dates(
    engines: Callable[[str], Engine], name: str, kind: Kind, written: str, canonical: str
) -> None:
    engine = engines(name)
    text = written if name == "postgres" else written.replace(" BC", "") if "BC" not in written else _early(written)
    value = engine.dialect.typed(exp.Literal.string(text), kind)
    made = engine.dialect.canonical(value, kind)
    floors = [engine.dialect.date_floor(value.copy(), part, kind) for part in ("year", "month", "day")]
    assert made is not None
    query = exp.select(made, *(exp.Is(this=f, expression=exp.Null()) for f in floors if f is not None))
    assert engine.execute(query.sql(name)) == [(canonical, *[False] * len(floors))]
    read = canonical_text(kind)
    assert read(written) == canonical or kind is Kind.TIMESTAMPTZ


def _early(written: str) -> str:
    day, _, rest = written.removesuffix(" BC").partition(" ")
    return f"{day} (BC) {rest}".rstrip()


def test_numbers_that_are_none(engines: Callable[[str], Engine]) -> None:
    engine = engines("postgres")
    numeric = ColumnType(Kind.DECIMAL, "numeric")
    values = [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("1.5")]
    floor = bind({"mask": "generalize", "step": 1, "method": "floor"}, numeric)
    made = run(engine, numeric, values, lambda v, d: floor.sql([v], d)[0], numeric)  # type: ignore[index]
    assert [str(m) for m in made] == ["NaN", "NaN", "NaN", "1.0"]
    assert [str(m) for m in in_python(floor, {"v": values})] == ["NaN", "NaN", "NaN", "1.0"]
    bins = bind({"mask": "generalize", "bins": [0, 10], "method": "floor"}, numeric)
    assert run(engine, numeric, values, lambda v, d: bins.sql([v], d)[0], numeric) == in_python(bins, {"v": values})  # type: ignore[index]
    assert run(engine, numeric, values, lambda v, d: d.canonical(v, Kind.DECIMAL)) == [
        "NaN",
        "Infinity",
        "-Infinity",
        "1.5",
    ]


def test_unsigned_integers_floor_too(engines: Callable[[str], Engine]) -> None:
    unsigned = ColumnType(Kind.INTEGER, "bigint unsigned", bits=64, unsigned=True)
    floor = bind({"mask": "generalize", "step": 10, "method": "floor"}, unsigned)
    for name in ("mysql", "duckdb"):
        made = run(engines(name), unsigned, [0, 9, 2**64 - 1], lambda v, d: floor.sql([v], d)[0], unsigned)  # type: ignore[index]
        assert [int(m) for m in made] == [0, 0, 2**64 - 6] == in_python(floor, {"v": [0, 9, 2**64 - 1]})


def test_a_whole_chain_is_computed_from_raw_values(engine: Engine) -> None:
    """Lets within lets keep their values apart."""
    steps = ["uuid", {"mask": "replace", "old": "-", "new": "#"}, {"mask": "redact", "keep_start": 3, "keep_end": 30}]
    spec = {
        "mask": "chain",
        "masks": [{"mask": "chain", "masks": steps}, {"mask": "chain", "masks": [*steps[1:], "email"]}],
    }
    made = bind(spec, TEXT)
    values = hostile(TEXT)[:20]
    assert run(engine, TEXT, values, lambda v, d: made.sql([v], d)[0]) == in_python(made, {"v": values})  # type: ignore[index]
