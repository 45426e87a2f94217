"""The anonymizer in a policy: its parameters, the columns that it fits, what it promises, and clones with it."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbmask.anonymizer.mask import AnonymizerBound, AnonymizerMask
from dbmask.cloner import clone
from dbmask.errors import BindError, MaskError, PlanError, PolicyError
from dbmask.masks.base import Columns, promises_of
from dbmask.masks.build import build_mask, example_keys
from dbmask.planner import RunsIn, plan
from dbmask.policy import Policy
from dbmask.registry import mask_class
from dbmask.schema import Column, ColumnType, Kind

KEYS = example_keys()
RANGE = {"birthDayMin": "1901-01-01", "birthDayMax": "2008-04-23"}
TEXT = ColumnType(Kind.TEXT, "text")
COLUMNS = [
    Column("rc", ColumnType(Kind.TEXT, "varchar(11)", length=11)),
    Column("born", ColumnType(Kind.DATE, "date")),
    Column("first", TEXT),
    Column("last", ColumnType(Kind.TEXT, "varchar(6)", length=6)),
    Column("points", ColumnType(Kind.INTEGER, "smallint", bits=16)),
]
ALL: dict[str, Any] = {"rc": "rc", "birthDate": "born", "firstName": "first", "lastName": "last"}
SCORER = [{"key": "AA_RC_NOT_CHANGED", "explainAs": "rc", "score": 30}, {"key": "AA_BD_NOT_CHANGED", "score": 5}]


def bind(columns: Sequence[Column] = COLUMNS, targets: tuple[Column, ...] = (), **params: Any) -> AnonymizerBound:
    mask = build_mask({"mask": "anonymizer", **RANGE, **params})
    bound = mask.bind(Columns(targets, {c.name: c for c in columns}, (), "insured"), KEYS)
    assert isinstance(bound, AnonymizerBound)
    return bound


def column(name: str, kind: Kind, sql: str = "x", nullable: bool = True, **facts: Any) -> list[Column]:
    return [Column(name, ColumnType(kind, sql, **facts), nullable=nullable)]


@pytest.fixture
def lookup(tmp_path: Path) -> str:
    path = tmp_path / "names.csv"
    path.write_text("Jan,Bartoloměj\nBartoloměj,Petr\nPetr,Jan\nNovák,Svoboda\nSvoboda,Malý\nMalý,Novák\n", "utf-8")
    return str(path)


def test_the_registry_knows_it() -> None:
    assert mask_class("anonymizer") is AnonymizerMask


def test_a_group_reads_and_writes_its_columns(lookup: str) -> None:
    bound = bind(**ALL, nameLookupFileName=lookup, scorer=SCORER, scoreColumn="points", explanationColumn="why")
    assert bound.inputs == ("rc", "born", "first", "last")
    assert bound.outputs == ("rc", "born", "first", "last", "points", "why")
    day = dt.date(1971, 3, 19)
    made = bound.apply([["7103192745", "x"], [day, dt.date(1850, 1, 1)], ["Jan", None], ["Svoboda", "Q"]])
    assert made[0][0][:6] == f"{made[1][0]:%y%m%d}"
    assert made[2] == ["Bartoloměj", None]
    assert made[3][0] == "Malý"  # of six letters at most
    assert made[4] == [0, 35]
    assert made[5] == ["", "rc AA_BD_NOT_CHANGED"]
    assert bound.sql([], None) is None


def test_what_cannot_be_transformed_is_replaced_in_a_policy() -> None:
    [made] = bind(rc="rc").apply([["7113011234"]])
    assert made[0] != "7113011234"
    [kept] = bind(rc="rc", on_invalid="keep").apply([["7113011234"]])
    assert kept == ["7113011234"]


def test_among_columns_it_stands_on_its_own_column() -> None:
    assert bind(targets=(COLUMNS[0],)).inputs == ("rc",)
    assert bind(targets=(COLUMNS[1],)).apply([[dt.date(1971, 3, 19)]]) == [[dt.date(1970, 9, 9)]]
    with pytest.raises(BindError, match="names no column"):
        bind()
    with pytest.raises(BindError, match="stands at table level"):
        bind(targets=(COLUMNS[1],), rc="rc")


def test_a_number_by_itself_can_be_a_key() -> None:
    alone = bind(targets=(COLUMNS[0],), on_invalid="keep").promises
    assert (alone.value_only, alone.injective, alone.total, alone.keyed) == (True, True, True, True)
    beside = promises_of(bind(rc="rc", birthDate="born", on_invalid="keep"), "rc")
    assert (beside.value_only, beside.injective) == (False, False)
    unique = promises_of(bind(rc="rc", birthDate="born", on_invalid="keep", unique=True), "rc")
    assert (unique.injective, unique.total) == (True, False)
    assert not bind(targets=(COLUMNS[0],), on_invalid="keep", birthDayMin="1908-01-01").promises.injective
    assert not bind(targets=(COLUMNS[0],), on_invalid="error").promises.total
    replaced = bind(targets=(COLUMNS[0],), unique=True).promises
    assert (replaced.injective, replaced.total) == (True, False)
    assert not bind(targets=(COLUMNS[0],)).promises.injective


def test_promises_of_the_whole_are_those_of_the_weakest() -> None:
    bound = bind(rc="rc", firstName="first", changeNames=False, on_invalid="error")
    assert (bound.each["rc"].unchanged, bound.each["first"].unchanged, bound.promises.unchanged) == (0.05, 1.0, 1.0)
    assert not bound.promises.total


@pytest.mark.parametrize(
    ("columns", "params", "what"),
    [
        (column("c", Kind.INTEGER), {"rc": "c"}, "begins with zeros"),
        (column("c", Kind.DATE), {"rc": "c"}, "rc: column 'c' is x, not text"),
        (column("c", Kind.TEXT, length=5), {"rc": "c"}, "too short for a cz.rc number"),
        (column("c", Kind.TEXT, length=12), {"rc": "c", "type": "ro.cnp"}, "too short for a ro.cnp number"),
        (column("c", Kind.TIMESTAMPTZ), {"birthDate": "c"}, "only in a time zone; use date_shift"),
        (column("c", Kind.INTEGER), {"birthDate": "c"}, "a date, a timestamp or ISO text"),
        (column("c", Kind.TEXT, length=9), {"birthDate": "c"}, "too short for an ISO date"),
        (column("c", Kind.ENUM), {"firstName": "c", "changeNames": False}, "firstName: column 'c' is x, not text"),
        (
            column("c", Kind.TEXT, nullable=False),
            {"rc": "c", "on_invalid": "null"},
            "NOT NULL, and `on_invalid` is null",
        ),
        (column("c", Kind.TEXT), {"rc": "d"}, "names column 'd', which the table does not have"),
        (COLUMNS, {"rc": "rc", "scorer": SCORER, "scoreColumn": "born"}, "holds no whole numbers"),
        (
            COLUMNS,
            {"rc": "rc", "scorer": [{**SCORER[0], "score": 0.5}], "scoreColumn": "points"},
            "holds no decimal numbers",
        ),
        (
            COLUMNS,
            {"rc": "rc", "scorer": [{**SCORER[0], "score": 40_000}], "scoreColumn": "points"},
            "too small for scores of 40000",
        ),
        (COLUMNS, {"rc": "rc", "scorer": SCORER, "explanationColumn": "born"}, "not text"),
        (COLUMNS, {"rc": "rc", "scorer": SCORER, "explanationColumn": "last"}, "an explanation may have 20 characters"),
        (COLUMNS, {"rc": "rc", "unique": True, "on_invalid": "keep", "birthDayMin": "1908-01-01"}, "unique"),
        (COLUMNS, {"firstName": "first", "nameLookupFileName": "none.csv"}, "the name lookup cannot be read"),
    ],
)
def test_columns_that_do_not_fit(columns: list[Column], params: dict[str, Any], what: str) -> None:
    with pytest.raises(BindError) as caught:
        bind(columns, **params)
    assert what in str(caught.value)


def test_all_columns_that_do_not_fit_are_named_together() -> None:
    wrong = [*column("a", Kind.INTEGER), *column("b", Kind.INTEGER)]
    with pytest.raises(BindError) as caught:
        bind(wrong, rc="a", birthDate="b")
    assert "column 'a'" in str(caught.value)
    assert "column 'b'" in str(caught.value)


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"rc": "a", "birthDayMin": "1953-06-01"}, "must not fall within 1 year before 1954-01-01"),
        ({"rc": "a", "birthDayMin": None}, "birthDayMin"),
        ({"rc": "a", "firstName": "a", "changeNames": False}, "a is named twice"),
        ({"firstName": "a"}, "nameLookupFileName is required when names change"),
        ({"firstName": "a", "nameLookupFileName": "x.cif"}, "a .cif table cannot be read"),
        ({"rc": "a", "scorer": SCORER}, "scorer needs scoreColumn or explanationColumn"),
        ({"rc": "a", "scoreColumn": "s"}, "need a scorer"),
        ({"rc": "a", "scorer": [{"key": "AA"}], "scoreColumn": "s"}, "there is no flag 'AA'"),
        ({"rc": "a", "scorer": [{"key": "AA", "scor": 1}]}, "scor"),
        ({"rc": "a", "on_invalid": "drop"}, "on_invalid"),
        ({"rc": "a", "bithDate": "b"}, "did you mean birthDate?"),
    ],
)
def test_parameters_that_do_not_fit(params: dict[str, Any], what: str) -> None:
    with pytest.raises(PolicyError) as caught:
        build_mask({"mask": "anonymizer", **RANGE, **params})
    assert what in str(caught.value)


def test_padding_and_bytes() -> None:
    padded = ColumnType(Kind.TEXT, "char(13)", length=13, padded=True)
    [made] = bind([Column("rc", padded)], rc="rc").apply([["7103192745   ", b"7103192745", None, ""]])
    assert made == [made[0], made[0], None, ""]
    assert len(made[0]) == 10
    [odd] = bind(rc="rc", on_invalid="keep").apply([[b"\xff"]])
    assert odd == ["\udcff"]


def test_errors_name_the_table_and_never_the_value() -> None:
    for values in ([7103192745], [["7103192745"]]):
        with pytest.raises(MaskError) as caught:
            bind(rc="rc").apply([values])
        assert "insured" in str(caught.value)
        assert "7103192745" not in str(caught.value)
    with pytest.raises(MaskError, match=r"insured: .*\(TypeError\)"):
        bind(birthDate="born").apply([[["1971-03-19"]]])


POLICY = """
version: 1
tables:
  insured:
    anonymizer:
      rc: birth_number
      birthDate: born
      firstName: first_name
      lastName: last_name
      birthDayMin: 1901-01-01
      birthDayMax: 2008-04-23
      nameLookupFileName: {lookup}
      on_invalid: keep
      scorer: [{{key: AA_RC_NOT_CHANGED, explainAs: rc, score: 30, explain: true}}]
      explanationColumn: expl
      scoreColumn: score
    columns: {{id: keep, premium: keep}}
"""
TABLE = """
CREATE TABLE insured (id integer PRIMARY KEY, birth_number varchar(11){unique}, born date, first_name text,
  last_name varchar(20), premium decimal(10,2))"""
ROWS = [
    (1, "710319/2745", "1971-03-19", "Jan", "Novák", 1),
    (2, "7113011234", "1850-01-01", "Xaver", "MALÝ", 2),
    (3, None, None, None, "", 3),
]


def source(folder: Path, unique: str = "") -> str:
    path = folder / "source.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(TABLE.format(unique=unique))
        db.executemany("INSERT INTO insured VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    return f"sqlite:///{path}"


@pytest.mark.parametrize("target", ["sqlite", "duckdb"])
def test_a_clone_with_score_and_explanation(tmp_path: Path, lookup: str, target: str) -> None:
    policy = Policy.from_text(POLICY.format(lookup=lookup))
    url = source(tmp_path)
    made = plan(policy, url, keys=KEYS).require()
    [table] = made.tables.values()
    shown = {c.column.name: c for c in table.columns}
    assert {n for n, c in shown.items() if c.mask == "anonymizer"} == {
        *("birth_number", "born", "first_name", "last_name", "score", "expl")
    }
    assert shown["birth_number"].runs_in is RunsIn.PYTHON
    result = clone(policy, url, f"{target}:///{tmp_path / 'target.db'}", keys=KEYS)
    assert all(c.passed for c in result.certificate.checks)
    query = "SELECT id, birth_number, CAST(born AS text), first_name, last_name, score, expl FROM insured ORDER BY id"
    if target == "sqlite":
        with closing(sqlite3.connect(tmp_path / "target.db")) as db:
            rows = db.execute(query).fetchall()
    else:
        import duckdb

        with duckdb.connect(str(tmp_path / "target.db")) as replica:
            rows = replica.execute(query).fetchall()
    assert rows == [
        (1, "700909/2794", "1970-09-09", "Bartoloměj", "Svoboda", 0, ""),
        (2, "7113011234", "1850-01-01", "Xaver", "NOVÁK", 30, "rc"),
        (3, None, None, None, "", 0, ""),
    ]


def test_a_unique_number_needs_the_parameter(tmp_path: Path, lookup: str) -> None:
    url = source(tmp_path, " UNIQUE")
    text = POLICY.format(lookup=lookup)
    with pytest.raises(PlanError, match="anonymizer with `unique: true`"):
        plan(Policy.from_text(text), url, keys=KEYS).require()
    plan(
        Policy.from_text(text.replace("on_invalid: keep", "on_invalid: keep\n      unique: true")), url, keys=KEYS
    ).require()


def test_what_a_plan_says_of_columns_that_do_not_fit(tmp_path: Path, lookup: str) -> None:
    text = (
        POLICY.format(lookup=lookup)
        .replace("rc: birth_number", "rc: premium")
        .replace("premium: keep", "birth_number: keep")
    )
    with pytest.raises(PlanError, match="rc: column 'premium' is decimal"):
        plan(Policy.from_text(text), source(tmp_path), keys=KEYS).require()
