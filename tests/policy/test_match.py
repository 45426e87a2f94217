"""Policies against schemas: what names what, what follows what, what is kept, what is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmask.policy import Policy, TableMode
from dbmask.policy.lock import Lock
from dbmask.policy.match import kept_columns, resolve
from dbmask.schema import Schema, TableKind, View
from tests.policy.helpers import ORDERS, USERS, masks, match, said
from tests.schemas import column, name, schema, table


def test_exact_beats_pattern_at_both_levels() -> None:
    text = """tables:
  users: {columns: {id: keep, "*_email": redact}}
  "*": {columns: {email: hash, home_email: keep}}
"""
    found = match(text, schema(USERS))
    assert said(found) == []
    assert masks(found, "users") == {"id": "keep", "email": "hash", "home_email": "redact"}
    assert found.tables[name("users")].columns["email"].why == "email at p.yaml:4"


def test_names_are_exact_and_quoted_as_in_sql() -> None:
    odd = table('"we""ird tbl"', column("a.b"), column("A"))
    text = """tables: {'public."we""ird tbl"': {columns: {'"a.b"': keep, a: keep}}}"""
    found = match(text, schema(odd))
    assert said(found) == [
        """p.yaml:2: public."we""ird tbl" has no column 'a' (did you mean A?)""",
        """public."we""ird tbl".A: is not named in the policy (give it a mask, or `keep`)""",
    ]


def test_schema_patterns() -> None:
    db = schema(table("hr.person", column("x")), table("public.person", column("x")))
    assert said(match("tables: {'hr.*': {columns: {x: keep}}, person: skip}", db)) == []
    found = match("tables: {'h?.person': keep}\ndefault: keep", db)
    assert {str(n): t.mode.value for n, t in found.tables.items()} == {"hr.person": "keep", "public.person": "keep"}
    assert [str(w) for w in found.warnings] == [
        "p.yaml: `default: keep` copies what the policy does not name (public.person)"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tables: {'u*': {columns: {x: keep}}, '*s': keep}",
            "public.users: is matched by two patterns, u* (p.yaml:2) and *s (p.yaml:2)",
        ),
        (
            "tables: {users: {columns: {'*': keep, 'e*': redact}}}",
            "public.users.email: is matched by two rules, * (p.yaml:2) and e* (p.yaml:2)",
        ),
        ("tables: {usres: keep}", "p.yaml:2: there is no table public.usres (did you mean public.users?)"),
        ("tables: {users: keep, public.users: skip}", "p.yaml:2: public.users is named twice (first at p.yaml:2)"),
        (
            "tables: {users: {columns: {emial: redact}}}",
            "p.yaml:2: public.users has no column 'emial' (did you mean email?)",
        ),
        ("tables: {v: keep}", "p.yaml:2: public.v is a view: views follow the tables that they read"),
        (
            "relations: [users.id -> usrs.id]\ntables: {users: keep}",
            "p.yaml:2: relations: there is no table public.usrs (did you mean public.users?)",
        ),
        (
            "relations: [public.users.x -> public.users.id]\ntables: {users: keep}",
            "relations: public.users has no column 'x'",
        ),
    ],
)
def test_what_does_not_match(text: str, message: str) -> None:
    db = schema(USERS)
    db = Schema(db.dialect, db.tables, (View(name("v")),), default_schema="public")
    found = match(text, db)
    assert any(message in p for p in said(found)), said(found)


def test_the_default_is_deny_with_the_full_list() -> None:
    db = schema(USERS, table("b", column("x"), column("y")))
    assert said(match("tables: {users: {columns: {id: keep}}}", db)) == [
        "public.users.email: is not named in the policy (give it a mask, or `keep`)",
        "public.users.home_email: is not named in the policy (give it a mask, or `keep`)",
        "public.b: is not named in the policy (columns: x, y) (give it columns, or `keep`, `empty` or `skip`)",
    ]


def test_patterns_that_match_nothing_are_warnings() -> None:
    found = match("tables: {'x*': keep, users: {columns: {'*': keep, 'q*': redact}}}", schema(USERS))
    assert [str(w) for w in found.warnings] == [
        "p.yaml:2: no column of public.users matches q*",
        "p.yaml:2: no table matches x*",
    ]


def test_generated_columns_need_no_line() -> None:
    made = table("t", column("a"), column("b", generated_from=("a",)))
    assert masks(match("tables: {t: {columns: {a: hash}}}", schema(made)), "t") == {"a": "hash", "b": None}
    assert masks(match("tables: {t: keep}", schema(made)), "t") == {"a": "keep", "b": None}


def test_partitions_and_children_follow() -> None:
    db = schema(
        table("p", column("a"), kind=TableKind.PARTITIONED),
        table("p1", column("a"), kind=TableKind.PARTITION, parents=("p",)),
        table("c", column("a"), kind=TableKind.CHILD, parents=("p",)),
        table("d", column("a"), kind=TableKind.CHILD, parents=("p",)),
        table("gone", column("a"), kind=TableKind.CHILD, parents=("elsewhere.x",)),
    )
    found = match("tables: {p: {columns: {a: redact}}, d: {columns: {a: hash}}, gone: keep}", db)
    assert said(found) == []
    assert [masks(found, t)["a"] for t in ("p", "p1", "c", "d")] == ["redact", "redact", "redact", "hash"]
    named = match("tables: {p: {columns: {a: redact}}, d: skip, p1: keep, gone: keep}", db)
    assert said(named) == ["p.yaml:2: public.p1 is a partition and follows public.p (name the partitioned table alone)"]
    silent = match("tables: {d: skip, gone: skip}", db)
    assert [p.partition(":")[0] for p in said(silent)] == ["public.p", "public.c"]


def test_modes() -> None:
    found = match("tables: {users: empty, orders: skip}", schema(USERS, ORDERS))
    assert {t.mode for t in found.tables.values()} == {TableMode.EMPTY, TableMode.SKIP}
    assert said(found) == []


def test_keep_means_the_columns_of_the_day_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\ntables: {users: keep}\n", "utf-8")
    policy = Policy.load(path)
    assert resolve(policy, schema(USERS)).drift == ()
    lock = Lock.beside(str(path))
    assert lock.columns(name("users")) is None
    lock.recording({name("users"): ["id", "email"]}).write()
    found = resolve(policy, schema(USERS))
    assert [str(d) for d in found.drift] == [
        "public.users.home_email: was added after `keep` was recorded for its table "
        "(give the table's columns masks, or accept it with `dbmask check --accept`)"
    ]
    assert "home_email" not in found.tables[name("users")].columns


def test_two_patterns_of_tables_that_both_match_are_an_error_unless_the_table_is_named() -> None:
    text = "'u*': {columns: {'*': keep}}, '*s': {columns: {email: hash}}"
    assert said(match(f"tables: {{{text}}}", schema(USERS)))[0] == (
        "public.users: is matched by two patterns, u* (p.yaml:2) and *s (p.yaml:2) (name the table exactly)"
    )
    found = match(f"tables: {{{text}, users: {{columns: {{id: redact}}}}}}", schema(USERS))
    assert said(found) == []
    assert masks(found, "users") == {"id": "redact", "email": "hash", "home_email": "keep"}


def test_rules_that_nothing_matches_have_hints() -> None:
    db = schema(table("a1", column("x")), table("a2", column("y")))
    found = match("tables: {'a*': {columns: {x: keep, y: keep, xx: keep, 'z*': keep}}}", db)
    assert said(found) == ["p.yaml:2: the 2 tables of a* have no column 'xx' (did you mean x?)"]
    assert [str(w) for w in found.warnings] == ["p.yaml:2: no column of the 2 tables of a* matches z*"]
    assert "did you mean X?" in said(match("tables: {t: {columns: {x: keep}}}", schema(table("t", column("X")))))[0]


def test_the_default_keep_says_what_it_copies() -> None:
    db = schema(USERS, *(table(f"t{i:02}", column("x")) for i in range(14)))
    found = match("default: keep\ntables: {users: {columns: {email: hash}}}", db)
    assert masks(found, "users") == {"id": "keep", "email": "hash", "home_email": "keep"}
    [warning] = [str(w) for w in found.warnings]
    assert warning.startswith("p.yaml: `default: keep` copies what the policy does not name (public.t00, public.t01, ")
    assert warning.endswith("public.t11 and 4 more)")
    whole = match("default: keep\ntables: {users: keep}", schema(USERS))
    assert [str(w) for w in whole.warnings] == [
        "p.yaml: `default: keep` copies what the policy does not name (which is nothing today)"
    ]
    assert kept_columns(found) == {}
    assert kept_columns(whole) == {name("users"): ["id", "email", "home_email"]}


GROUP = "anonymizer: {rc: id, birthDayMin: 1901-01-01, birthDayMax: 2008-04-23}"


def test_groups_cover_their_columns() -> None:
    found = match(f"tables:\n users:\n  {GROUP}\n  columns: {{email: hash, home_email: keep}}", schema(USERS))
    assert said(found) == []
    assert masks(found, "users") == {"email": "hash", "home_email": "keep"}
    assert found.tables[name("users")].groups[0].where == "p.yaml:4"
    by_default = match(f"default: keep\ntables:\n users:\n  {GROUP}\n  columns: {{email: hash}}", schema(USERS))
    assert masks(by_default, "users") == {"email": "hash", "home_email": "keep"}


def test_a_column_of_a_group_has_no_rule_beside_it() -> None:
    found = match(f"tables:\n users:\n  {GROUP}\n  columns: {{'*': keep}}", schema(USERS))
    assert said(found) == ["p.yaml:5: id stands in a group of its table too (remove one)"]


def test_a_generated_column_of_a_group() -> None:
    made = table("t", column("id", generated_from=("x",)), column("x"))
    found = match(f"tables:\n t:\n  {GROUP}\n  columns: {{x: keep}}", schema(made))
    assert masks(found, "t") == {"x": "keep"}


@pytest.mark.parametrize(
    ("rule", "mask", "problems"),
    [
        ("'*': hash", None, []),
        ("b: keep", None, []),
        ("b: recompute", None, []),
        ("b: drop", "drop", []),
        (
            "b: hash",
            None,
            [
                "p.yaml:2: public.t.b is generated by the database, which takes no other value "
                "(leave the line out: it follows the columns that it is made of)"
            ],
        ),
    ],
)
def test_rules_of_generated_columns(rule: str, mask: str | None, problems: list[str]) -> None:
    made = table("t", column("a"), column("b", generated_from=("a",)))
    found = match(f"tables: {{t: {{columns: {{a: hash, {rule}}}}}}}", schema(made))
    assert masks(found, "t") == {"a": "hash", "b": mask}
    assert said(found) == problems


PARENTS = (
    table("p", column("a"), column("b")),
    table("q", column("a"), column("c")),
)


def test_a_child_of_two_parents_takes_from_both() -> None:
    child = table("c", column("a"), column("b"), column("c"), column("d"), kind=TableKind.CHILD, parents=("p", "q"))
    db = schema(*PARENTS, child)
    found = match("tables: {p: {columns: {a: keep, b: redact}}, q: {columns: {a: keep, c: hash}}}", db)
    assert masks(found, "c") == {"a": "keep", "b": "redact", "c": "hash"}
    assert said(found) == ["public.c.d: is not named in the policy (give it a mask, or `keep`)"]
    two = match("tables: {p: {columns: {a: redact, b: redact}}, q: keep}", db)
    assert said(two) == [
        "public.c: inherits from public.p (`mask`) and public.q (`keep`) (name it in the policy)",
        "public.c.a: has different masks in public.p and public.q (name the table in the policy)",
        "public.c.d: is not named in the policy (give it a mask, or `keep`)",
    ]
    named = "c: {columns: {'*': keep}}"
    assert said(match(f"tables: {{p: {{columns: {{a: redact, b: redact}}}}, q: keep, {named}}}", db)) == []


def test_children_of_kept_tables_have_columns_of_their_own_and_partitions_have_none() -> None:
    db = schema(
        table("p", column("a")),
        table("c", column("a"), column("own"), kind=TableKind.CHILD, parents=("p",)),
        table("r", column("x"), kind=TableKind.PARTITIONED),
        table("r1", column("x"), kind=TableKind.PARTITION, parents=("r",)),
    )
    found = match("tables: {p: keep, r: keep}", db)
    assert said(found) == []
    assert kept_columns(found) == {name("p"): ["a"], name("c"): ["a", "own"], name("r"): ["x"]}
    later = match("tables: {p: keep, r: keep}", db, Lock().accepting({name("c"): ["a"]}))
    assert [d.where for d in later.drift] == ["public.c.own"]
    assert masks(later, "c") == {"a": "keep"}
    by_default = match("default: keep\ntables: {r: keep}", db)
    assert masks(by_default, "c") == {"a": "keep", "own": "keep"}
    assert kept_columns(by_default) == {name("r"): ["x"]}


def test_partitions_of_partitions_follow_the_top_and_say_things_once() -> None:
    db = schema(
        table("p11", column("a"), column("b"), kind=TableKind.PARTITION, parents=("p1",)),
        table("p1", column("a"), column("b"), kind=TableKind.PARTITION, parents=("p",)),
        table("p", column("a"), column("b"), kind=TableKind.PARTITIONED),
    )
    found = match("tables: {p: {columns: {a: hash, bb: keep}}}", db)
    assert masks(found, "p11") == {"a": "hash"}
    assert said(found) == [
        "p.yaml:2: public.p has no column 'bb' (did you mean b?)",
        "public.p.b: is not named in the policy (give it a mask, or `keep`)",
    ]
    assert match("tables: {p: skip}", db).tables[name("p11")].mode is TableMode.SKIP


def test_every_column_says_why_it_has_its_mask() -> None:
    made = table("made", column("a"), column("b", generated_from=("a",)))
    db = schema(USERS, ORDERS, made, table("k", column("x")), table("d", column("x")))
    text = "default: keep\nclasses: {h: hash}\ntables:\n users: {columns: {id: h, '*_email': redact}}\n"
    text += " orders: {columns: {}}\n made: {columns: {a: keep}}\n k: keep\n"
    found = match(text, db)
    assert said(found) == []
    assert {f"{n.name}.{c}": one.why for n, t in found.tables.items() for c, one in t.columns.items()} == {
        "users.id": "id at p.yaml:5",
        "users.email": "default: keep",
        "users.home_email": "*_email at p.yaml:5",
        "orders.id": "default: keep",
        "orders.user_id": "follows public.users.id (id at p.yaml:5)",
        "made.a": "a at p.yaml:7",
        "made.b": "generated by the database",
        "k.x": "k at p.yaml:8",
        "d.x": "default: keep",
    }
