"""Definitions of views over masked relations."""

from __future__ import annotations

import pytest

from dbmask.proxy.install_user_views import Standing, grouped_by, ordered, over_masked
from dbmask.schema import TableName, View

STANDING = {
    TableName("public", "t"): Standing("m_public", "t", "t_only"),
    TableName("o d", 'q"t'): Standing("m_odd", 'q"t', 'q"t'),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT t.a FROM public.t;", 'SELECT t.a FROM "m_public"."t" AS "t"'),
        ("SELECT x.a FROM public.t x", 'SELECT x.a FROM "m_public"."t" AS x'),
        ("SELECT t.a FROM ONLY public.t", 'SELECT t.a FROM "m_public"."t_only" AS "t"'),
        ('SELECT 1 FROM "o d"."q""t"', 'SELECT 1 FROM "m_odd"."q""t" AS "q""t"'),
        ("SELECT (SELECT max(t.a) FROM public.t)", 'SELECT (SELECT MAX(t.a) FROM "m_public"."t" AS "t")'),
        ("WITH t AS (SELECT 1 AS a) SELECT t.a FROM t", "WITH t AS (SELECT 1 AS a) SELECT t.a FROM t"),
        ("SELECT g.g FROM generate_series(1, 3) g(g)", "SELECT g.g FROM GENERATE_SERIES(1, 3) AS g(g)"),
    ],
)
def test_relations_are_replaced(text: str, expected: str) -> None:
    assert over_masked(text, STANDING) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM public.other",
        "SELECT a FROM public.t WHERE EXISTS (SELECT 1 FROM public.other)",
        "SELECT a FROM public.t UNION SELECT secret FROM hr.t",
        "SELECT most_common_vals FROM pg_stats",
        "WITH t AS (SELECT * FROM public.other) SELECT a FROM t",
        "SELECT a FROM",
        "SELECT 'a FROM public.t",
    ],
)
def test_what_cannot_be_masked_gives_no_view(text: str) -> None:
    assert over_masked(text, STANDING) is None


def test_the_column_that_is_complained_of_is_grouped_by() -> None:
    text = "SELECT t.id, t.a FROM m.t AS t GROUP BY t.id"
    said = 'column "t.a" must appear in the GROUP BY clause or be used in an aggregate function (SQLSTATE 42803)'
    made = grouped_by(text, said)
    assert made == 'SELECT t.id, t.a FROM m.t AS t GROUP BY t.id, "t"."a"'
    assert grouped_by(made, said) is None
    assert grouped_by(text, "something else") is None
    assert grouped_by("SELECT t.a FROM m.t AS t", said) is None


def test_views_come_after_what_they_read() -> None:
    names = [TableName("s", n) for n in "abc"]
    views = [
        View(names[0], reads=(names[1], TableName("s", "t"))),
        View(names[1], reads=(names[2],)),
        View(names[2]),
    ]
    assert [v.name.name for v in ordered(views)] == ["c", "b", "a"]
