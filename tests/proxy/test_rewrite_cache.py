"""The cache gives what the rewriter gives, and asks it only once for each shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.proxy.catalog import MaskedRelation
from dbmask.proxy.metrics import Counters, Numbers
from dbmask.proxy.rewrite import Rewriter
from dbmask.proxy.rewrite_cache import CachedRewriter
from dbmask.proxy.rewrite_catalog import Catalog
from dbmask.proxy.trees import Refused

WHERE: Any = (["public"], "ana", ["public"])


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    table = MaskedRelation(1, "public", "t", 2, "m", "t", "t", ("a", "b", "c"), frozenset(("b", "c")))
    system = ("count", "left", "=", "<", ">", "-", "+", "~~", "any", "generate_series", "set_config", "lower")
    return Catalog(
        {("public", "t"): table},
        {},
        frozenset(("pg_catalog", name) for name in system),
        frozenset(("public", "m", "pg_catalog")),
        frozenset([("m", "t")]),
        present=frozenset([("public", "t")]),
        path=("public",),
    )


def cached(catalog: Catalog, audited: bool = False) -> tuple[CachedRewriter, Counters]:
    counters = Numbers().of(0)
    return CachedRewriter(catalog, counters, audited), counters


def test_by_text_and_by_shape(catalog: Catalog) -> None:
    rewriter, counters = cached(catalog)
    made = [rewriter.rewrite(f"SELECT a FROM t WHERE a = {n}", *WHERE).sql for n in (1, 2, 3, 4, 1, 4)]
    assert made == [f"SELECT a FROM m.t t WHERE a = {n}" for n in (1, 2, 3, 4, 1, 4)]
    assert counters.get("cache_misses_total") == 2
    assert counters.get("cache_shape_hits_total") == 3
    assert counters.get("cache_text_hits_total") == 1


def test_other_paths_and_users_are_other_entries(catalog: Catalog) -> None:
    rewriter, _ = cached(catalog)
    for _ in range(3):
        assert rewriter.rewrite("SELECT a FROM t", *WHERE).tables == ["public.t"]
        with pytest.raises(Refused):
            rewriter.rewrite("SELECT a FROM t", ["nowhere"], "ana", ["public"])


FIXED = [
    "SELECT a FROM t WHERE b = left('{}', 2)",
    "SELECT '{}'::text FROM t",
    "SELECT a FROM t ORDER BY {}",
    "SELECT interval '{} days'",
    "SELECT generate_series(1, {})",
]


@pytest.mark.parametrize("text", FIXED)
def test_literals_the_rewriter_might_look_at_are_part_of_the_key(catalog: Catalog, text: str) -> None:
    rewriter, counters = cached(catalog)
    for n in (1, 2, 3):
        made = rewriter.rewrite(text.format(n), *WHERE).sql
        assert made == Rewriter(catalog).rewrite(text.format(n), *WHERE).sql
    assert counters.get("cache_shape_hits_total") == 0


def test_a_setting_is_judged_each_time(catalog: Catalog) -> None:
    rewriter, _ = cached(catalog)
    for name in ("jit", "timezone", "datestyle"):
        rewriter.rewrite(f"SELECT set_config('{name}', 'x', false)", *WHERE)
    with pytest.raises(Refused):
        rewriter.rewrite("SELECT set_config('session_authorization', 'x', false)", *WHERE)


ODD = [
    "'it''s'",
    "'a' 'b'",
    "'a'\n'b'",
    "E'a\\'b'",
    "$$a$$",
    "U&'a'",
    "B'1'",
    "'\u00e9'",
    "1e5",
    "0x1F",
    "-5",
    "- 5",
    "1_0",
    "99999999999999999999",
    "1.5",
    ".5",
    "5.",
    "007",
    "1 -- 2",
    "1 /* '2' */",
    "NULL",
    "'--'",
    "'/*'",
    "'\"'",
    "$1",
    "\u0663",
    "'dbmask'",
    "ARRAY[1, 2]",
    "(1)",
    "a1",
    '"x 1"',
    "''",
    "1::int",
    "'{1}'::text",
]


@given(st.lists(st.tuples(st.sampled_from(ODD), st.sampled_from(ODD)), min_size=2, max_size=6))
def test_what_comes_out_is_what_the_rewriter_makes(catalog: Catalog, operands: list[tuple[str, str]]) -> None:
    rewriter, _ = cached(catalog)
    for one, other in operands:
        for text in (
            f"SELECT a FROM t WHERE b = {one} AND a < {other} LIMIT 10",
            f"select count(*) from t where a in ({one}, {other}) or c = {one}",
        ):
            assert outcome(rewriter, text) == outcome(Rewriter(catalog), text)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=2, max_size=5), st.integers(0, 10**12))
def test_any_string_and_number(catalog: Catalog, strings: list[str], number: int) -> None:
    rewriter, _ = cached(catalog)
    for string in strings:
        text = f"SELECT a FROM t WHERE b = '{string}' AND a = {number}"
        assert outcome(rewriter, text) == outcome(Rewriter(catalog), text)


def outcome(rewriter: Rewriter | CachedRewriter, text: str) -> str:
    from dbmask.proxy.trees import deparsed, parsed

    try:
        made = rewriter.rewrite(text, *WHERE).sql
    except Refused as refusal:
        return refusal.state
    # Numbers may be written as the client wrote them: 007 is 7.
    return deparsed(parsed(made))


def test_the_audit_log_gets_columns_and_a_fingerprint(catalog: Catalog) -> None:
    rewriter, _ = cached(catalog, audited=True)
    named = rewriter.rewrite("SELECT a FROM t WHERE b = 'x'", *WHERE)
    assert named.masked == ["public.t.b"] and named.fingerprint
    assert rewriter.rewrite("SELECT * FROM t", *WHERE).masked == ["public.t.b", "public.t.c"]
    assert rewriter.rewrite("SELECT t FROM t", *WHERE).masked == ["public.t.b", "public.t.c"]
    assert rewriter.rewrite("SELECT a FROM t WHERE b = 'y'", *WHERE).fingerprint == named.fingerprint


def test_entries_are_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask.proxy.rewrite_cache._TEXTS", 3)
    monkeypatch.setattr("dbmask.proxy.rewrite_cache._SHAPES", 3)
    rewriter, _ = cached(catalog)
    for n in range(20):
        rewriter.rewrite(f"SELECT a AS x{n} FROM t WHERE a = 1", *WHERE)
        rewriter.rewrite(f"SELECT a AS x{n} FROM t WHERE a = 2", *WHERE)
    assert max(len(rewriter._texts), len(rewriter._shapes), len(rewriter._plans)) == 3
