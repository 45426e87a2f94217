"""Tables and relations: modes, options, and everything that may not stand beside them."""

from __future__ import annotations

from typing import Any

import pytest

from dbmask.errors import PolicyError
from dbmask.masks.keep import Keep
from dbmask.policy import Policy, TableMode
from dbmask.schema import TableName


def load(text: str) -> Policy:
    return Policy.from_text(f"version: 1\n{text}", "yaml", "p.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as error:
        load(text)
    return [str(p) for p in error.value.problems]


def test_modes_and_options() -> None:
    policy = load("""tables:
  a: {mode: keep, where: x > 1, max_rows: 5}
  b: {mode: empty}
  c: {mode: skip}
  d: {mode: mask, columns: , leftover: placeholder, max_rows: 0}
""")
    assert [t.mode for t in policy.tables] == [TableMode.KEEP, TableMode.EMPTY, TableMode.SKIP, TableMode.MASK]
    assert policy.tables[0].filter == "x > 1"
    assert [dict(t.options) for t in policy.tables] == [
        {"max_rows": 5},
        {},
        {},
        {"leftover": "placeholder", "max_rows": 0},
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "{mode: keep, columns: {x: hash}}",
            "`columns:` does nothing where `mode: keep` stands (take one of them out)",
        ),
        ("{mode: skip, where: x}", "`where:` does nothing where `mode: skip` stands (take one of them out)"),
        ("{mode: empty, max_rows: 5}", "`max_rows:` does nothing where `mode: empty` stands (take one of them out)"),
        ("{mode: kepe}", "`mode:` is one of mask, keep, empty, skip (did you mean keep?)"),
        ("{mode: [keep]}", "`mode:` is one of mask, keep, empty, skip"),
        ("{where: ''}", "`where:` must be a SQL condition as text"),
        ("{where: ' '}", "`where:` must be a SQL condition as text"),
        ("{max_rows: -1}", "`max_rows:` is a number of rows"),
        ("{max_rows: true}", "`max_rows:` is a number of rows"),
        ("{max_rows: many}", "`max_rows:` is a number of rows"),
        ("{leftover: materialise}", "`leftover:` is materialize or placeholder (did you mean materialize?)"),
        ("{columns: []}", "`columns:` must be a mapping of column to mask"),
        ("", "table t has no rule (give it keep, empty, skip, or a mapping with `columns:`)"),
        ("null", "table t has no rule"),
    ],
)
def test_what_a_table_may_not_say(body: str, message: str) -> None:
    [found] = problems(f"tables:\n  t: {body}")
    assert found.startswith(f"p.yaml:3: {message}"), found


@pytest.mark.parametrize("name", ['a"b', '"a', "a..b", "", ".", 'public."a"b'])
def test_names_that_are_none(name: str) -> None:
    data: dict[str, Any] = {"version": 1, "tables": {name: "keep", "t": "keep"}}
    with pytest.raises(PolicyError, match=r"^tables\..*: table name .*: not a name"):
        Policy.from_dict(data)


def test_a_group_needs_its_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask.masks.build.mask_class", {"keep": Keep}.get)
    [found] = problems("tables: {t: {anonymizer: {rc: x}}}")
    assert found.startswith("p.yaml:2: there is no mask 'anonymizer'")


def test_groups() -> None:
    group = "anonymizer:\n      rc: no\n      birthDayMin: 1901-01-01\n      birthDayMax: 2008-04-23"
    [table] = load(f"tables:\n  t:\n    {group}\n    columns: {{id: keep}}").tables
    [rule] = table.groups
    assert (rule.mask.name, getattr(rule.mask, "columns", None), rule.where) == ("anonymizer", ("no",), "p.yaml:4")
    found = problems(f"tables:\n  t:\n    {group}\n      rcc: x\n    mode: keep")
    assert found == [
        "p.yaml:4: `anonymizer:` does nothing where `mode: keep` stands (take one of them out)",
        "p.yaml:8: anonymizer has no parameter 'rcc' (did you mean rc?)",
    ]
    assert problems("tables: {t: {anonymizer: {mask: redact}}}") == [
        "p.yaml:2: `anonymizer:` is a mask itself and takes no other (leave `mask:` out)"
    ]
    assert problems("tables: {t: {anonymizer: [x]}}") == ["p.yaml:2: `anonymizer:` must be a mapping of its parameters"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t.a -> s.u.b", (("", "t"), ("a",), ("s", "u"), ("b",))),
        ("s.t.a->u.b", (("s", "t"), ("a",), ("", "u"), ("b",))),
        ("t(a, b) -> s.u ( c ,d )", (("", "t"), ("a", "b"), ("s", "u"), ("c", "d"))),
        ("t(a) -> u.b", (("", "t"), ("a",), ("", "u"), ("b",))),
        ('"a->b"."t.(x)"."c""d" -> u.b', (("a->b", "t.(x)"), ('c"d',), ("", "u"), ("b",))),
        ('t("a, b", c) -> u(d, e)', (("", "t"), ("a, b", "c"), ("", "u"), ("d", "e"))),
        ("we-ird.a -> u.b", (("", "we-ird"), ("a",), ("", "u"), ("b",))),
        ("a table.a -> u.b", (("", "a table"), ("a",), ("", "u"), ("b",))),
    ],
)
def test_relations(text: str, expected: tuple[Any, ...]) -> None:
    data = {"version": 1, "tables": {"t": "keep"}}
    ends = text.rsplit("->", 1)
    for item in (text, {"from": ends[0], "to": ends[1]}):
        [found] = Policy.from_dict({**data, "relations": [item]}).relations
        assert (found.table, found.columns, found.ref_table, found.ref_columns) == (
            TableName(*expected[0]),
            expected[1],
            TableName(*expected[2]),
            expected[3],
        )
        assert found.where == "relations.0"


@pytest.mark.parametrize(
    "item",
    [
        "t.a",
        "t.a -> b",
        "a -> t.b",
        "a.b.c.d -> t.b",
        "s.t.u(a) -> t.b",
        "t(a.b) -> u.c",
        "t() -> u.c",
        "t(a -> u.c",
        "t.a -> u.b -> v.c",
        "t.a => u.b",
        ["t.a", "u.b"],
        {"from": "t.a"},
        {"from": "t.a", "to": 5},
        {},
        None,
    ],
)
def test_what_is_no_relation(item: Any) -> None:
    with pytest.raises(PolicyError, match=r"^relations\.0: a relation is written `schema\.table\.column -> "):
        Policy.from_dict({"version": 1, "tables": {"t": "keep"}, "relations": [item]})
