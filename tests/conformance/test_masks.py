"""Every mask, on every engine, on hostile values: SQL gives the bytes that Python gives, and both what the cases say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmask.masks.base import Bound
from dbmask.schema import Kind
from dbmask_sql.dialects import DIALECTS
from dbmask_sql.dialects import column as column_ref
from dbmask_sql.dialects import dialect as dialect_of
from dbmask_sql.keyref import key_names
from tests.conformance.engines import Engine, Evaluated
from tests.conformance.setups import KEYS, TARGET, Setup, canonical_column, setups
from tests.conformance.values import strategy

SETUPS = setups()
EVERY = pytest.mark.parametrize("setup", SETUPS, ids=str)

SQL_ONLY = {"sql"}

ALL = frozenset(DIALECTS)
PLAIN = frozenset(["postgres", "duckdb"])
# spec: "Where masks must run"; more is welcome.
MUST_RUN_IN_SQL = {
    **dict.fromkeys(["keep", "null", "fixed", "substring", "replace", "concat", "chain", "when"], ALL),
    **dict.fromkeys(["hash", "redact", "generalize", "dictionary", "email", "uuid", "date_shift", "sql"], ALL),
    **dict.fromkeys(["first_name", "last_name", "full_name", "noise", "permute", "case"], PLAIN),
}


def _evaluate(engine: Engine, setup: Setup, bound: Bound, rows: dict[str, list[Any]]) -> Evaluated | None:
    names = list(setup.types)
    out = [bound.promises.type]

    def build(exprs: list[Any], dialect: Any) -> Any:
        named = dict(zip(names, exprs, strict=True))
        return bound.sql([named[n] for n in bound.inputs], dialect)

    return engine.evaluate([setup.types[n] for n in names], [rows[n] for n in names], build, KEYS, out)


def _python(bound: Bound, rows: dict[str, list[Any]]) -> list[Any]:
    return bound.apply([rows[n] for n in bound.inputs])[0]


def _check(engine: Engine, setup: Setup, extra: list[Any]) -> None:
    bound = setup.bind()
    rows = setup.rows(extra if bound.promises.total else [])
    if not bound.promises.total:
        rows = {n: v[: len(setup.cases)] for n, v in rows.items()}
    got = _evaluate(engine, setup, bound, rows)
    if got is None:
        return
    out = bound.promises.type
    made = canonical_column(got.made[0], out)
    expected = canonical_column([c.expected for c in setup.cases], out)
    assert made[: len(expected)] == expected
    if setup.mask in SQL_ONLY:
        return
    raw = dict(zip(setup.types, got.raw, strict=True))
    assert made == canonical_column(_python(bound, raw), out)
    lossy = engine.name == "sqlite" and any(t.kind is Kind.DECIMAL for t in setup.types.values())
    if not lossy:  # SQLite keeps a number of 17 digits as a float
        assert made == canonical_column(_python(bound, rows), out)


@EVERY
def test_sql_is_python(engine: Engine, setup: Setup) -> None:
    _check(engine, setup, [])


@pytest.mark.slow
@EVERY
def test_sql_is_python_on_any_value(engine: Engine, setup: Setup) -> None:
    @settings(max_examples=3)
    @given(st.lists(strategy(setup.types[TARGET]), min_size=30, max_size=120))
    def run(values: list[Any]) -> None:
        _check(engine, setup, values)

    run()


@EVERY
def test_cases_are_what_python_gives(setup: Setup) -> None:
    if setup.mask in SQL_ONLY:
        assert setup.bind().promises.type is not None
        return
    bound = setup.bind()
    rows = {n: v[: len(setup.cases)] for n, v in setup.rows().items()}
    assert _python(bound, rows) == [c.expected for c in setup.cases]


@EVERY
def test_promises_hold(setup: Setup) -> None:
    """Nulls, empty texts, lengths, one value's independence of the others, and injectivity over many values."""
    bound = setup.bind()
    if setup.mask in SQL_ONLY or not bound.promises.total:
        return
    rows = setup.rows(_many(setup))
    made = _python(bound, rows)
    out = bound.promises.type
    assert len(made) == len(rows[TARGET])
    if out.kind is Kind.TEXT:
        longest = out.length if out.length is not None else setup.types[TARGET].length
        assert all(v is None or (isinstance(v, str) and len(v) <= (longest or len(v))) for v in made)
    if bound.promises.value_only:
        shuffled = {n: list(reversed(v)) for n, v in rows.items()}
        assert _python(bound, shuffled) == made[::-1]
    if bound.promises.injective:
        given = canonical_column(rows[TARGET], setup.types[TARGET])
        pairs = dict(zip(given, canonical_column(made, out), strict=True))
        results = [v for v in pairs.values() if v is not None]  # nulls are distinct to a key
        assert len(set(results)) == len(results)


def _many(setup: Setup) -> list[Any]:
    """A few thousand values near one another, where a mask that is not injective would collide."""
    type_ = setup.types[TARGET]
    if type_.kind is Kind.TEXT:
        made = [f"{stem}{i}" for stem in ("", "a", "A", "name.") for i in range(1500)]
        return [v for v in made if type_.length is None or len(v) <= type_.length]
    if type_.kind is Kind.INTEGER:
        low, high = type_.int_range
        return [v for v in range(-3000, 3000) if low <= v <= high]
    return []


@pytest.mark.parametrize("name", DIALECTS)
@EVERY
def test_masks_run_where_they_must(setup: Setup, name: str) -> None:
    bound = setup.bind()
    made = bound.sql([column_ref(n) for n in bound.inputs], dialect_of(name))
    assert made is not None or name not in MUST_RUN_IN_SQL.get(setup.mask, ()) or _may_run_in_python(setup)


def _may_run_in_python(setup: Setup) -> bool:
    """What masks.md's table leaves to Python: seeded and differentially private noise, numbers and dates kept as texts or floats.

    And digests that a database has not, of those that an author names.
    """
    kind = setup.types[TARGET].kind
    if setup.mask == "hash":
        return bool(setup.params.get("algo", "sha256") != "sha256")
    if setup.mask == "date_shift":
        return kind is Kind.TEXT
    special = {"seed", "epsilon", "random"}.intersection(setup.params)
    return setup.mask == "noise" and bool(special or kind not in (Kind.INTEGER, Kind.DECIMAL))


@EVERY
def test_no_key_is_in_any_sql(engine: Engine, setup: Setup) -> None:
    bound = setup.bind()
    got = _evaluate(engine, setup, bound, {n: [] for n in setup.types})
    if got is None:
        return
    shown = got.sql + _explained(engine, got)
    names = key_names(got.tree)
    assert names or not bound.promises.keyed
    for name in names:
        for pad in engine.stored[name]:
            assert pad.hex() not in shown.lower()
            assert repr(pad)[2:-1] not in shown


def _explained(engine: Engine, got: Evaluated) -> str:
    """PostgreSQL's plan, which must show plain expressions, and no function scan but of PostgreSQL's own."""
    if engine.name != "postgres":
        return ""
    plan = "\n".join(str(row[0]) for row in engine.execute(f"EXPLAIN (VERBOSE, COSTS OFF) {got.sql}"))
    assert "Function Scan on dbmask" not in plan
    return plan
