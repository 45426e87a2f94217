"""Policies against schemas: what names what, what foreign keys hand down, what is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmask.errors import PolicyError
from dbmask.policy import Policy, TableMode
from dbmask.policy.lock import Lock
from dbmask.policy.match import Resolution, resolve
from dbmask.schema import Schema, TableKind, View
from tests.schemas import INT, column, fk, name, schema, table

USERS = table("users", column("id", INT), column("email"), column("home_email"), key="id")


def match(text: str, db: Schema, lock: Lock | None = None) -> Resolution:
    return resolve(Policy.from_text(f"version: 1\n{text}", "yaml", "p.yaml"), db, lock)


def masks(found: Resolution, table_name: str) -> dict[str, str | None]:
    return {n: c.mask.name if c.mask else None for n, c in found.tables[name(table_name)].columns.items()}


def said(found: Resolution) -> list[str]:
    return [str(p) for p in found.problems]


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


ORDERS = table("orders", column("id", INT), column("user_id", INT), key="id", keys=(fk("user_id", "users", "id"),))


def test_a_foreign_key_follows_what_it_refers_to() -> None:
    items = table(
        "items", column("o", INT), column("u", INT), keys=(fk("o", "orders", "id"), fk("u", "orders", "user_id"))
    )
    text = "tables: {users: {columns: {id: hash, email: keep, home_email: keep}}, orders: {columns: {id: redact}}, items: keep}"
    found = match(text, schema(items, ORDERS, USERS))
    assert said(found) == []
    assert masks(found, "orders") == {"id": "redact", "user_id": "hash"}
    assert masks(found, "items") == {"o": "redact", "u": "hash"}
    inherited = found.tables[name("items")].columns["u"]
    assert inherited.inherited_from == (name("users"), "id")
    assert inherited.bind_type == INT
    assert inherited.why == "follows public.users.id (id at p.yaml:2)"


def test_another_mask_on_a_foreign_key_is_an_error_and_the_same_is_fine() -> None:
    db = schema(USERS, ORDERS)
    base = "users: {columns: {id: hash, email: keep, home_email: keep}}"
    assert said(match(f"tables: {{{base}, orders: {{columns: {{id: keep, user_id: hash}}}}}}", db)) == []
    found = match(f"tables: {{{base}, orders: {{columns: {{id: keep, user_id: {{mask: hash, length: 9}}}}}}}}", db)
    assert said(found) == [
        "p.yaml:2: public.orders.user_id refers to public.users.id, which has the mask hash, and is given another "
        "(leave the line out: a foreign key follows the column that it refers to)"
    ]


def test_circles_self_references_and_composite_keys() -> None:
    a = table(
        "a", column("id", INT), column("b", INT), column("up", INT), keys=(fk("b", "b", "id"), fk("up", "a", "id"))
    )
    b = table("b", column("id", INT), column("a", INT), keys=(fk("a", "a", "id"),))
    c = table("c", column("x", INT), column("y", INT), keys=(fk("x y", "a", "id b"),))
    found = match("tables: {a: {columns: {id: hash}}, b: {columns: {id: redact}}, c: {columns: {}}}", schema(a, b, c))
    assert said(found) == []
    assert masks(found, "a") == {"id": "hash", "b": "redact", "up": "hash"}
    assert masks(found, "b") == {"id": "redact", "a": "hash"}
    assert masks(found, "c") == {"x": "hash", "y": "redact"}


def test_a_circle_of_columns_takes_the_rule_that_one_of_them_has() -> None:
    a = table("a", column("x", INT), keys=(fk("x", "b", "x"),))
    b = table("b", column("x", INT), keys=(fk("x", "a", "x"),))
    found = match("tables: {a: {columns: {}}, b: {columns: {x: hash}}}", schema(a, b))
    assert said(found) == []
    assert (masks(found, "a"), masks(found, "b")) == ({"x": "hash"}, {"x": "hash"})
    none = match("tables: {a: {columns: {}}, b: {columns: {}}}", schema(a, b))
    assert len(said(none)) == 2


def test_a_column_of_two_keys_needs_them_to_agree() -> None:
    both = table("both", column("x", INT), keys=(fk("x", "users", "id"), fk("x", "orders", "id")))
    text = "tables: {users: {columns: {id: hash, '*': keep}}, orders: {columns: {id: redact}}, both: {columns: {}}}"
    found = match(text, schema(USERS, ORDERS, both))
    assert said(found) == [
        "public.both.x: refers to public.users.id and to public.orders.id, which have different masks (give both the same mask)"
    ]


def test_declared_relations_hand_down_too() -> None:
    ticket = table("ticket", column("no", INT))
    text = "tables: {users: {columns: {id: hash, '*': keep}}, ticket: {columns: {}}}\nrelations: [public.ticket.no -> public.users.id]"
    found = match(text, schema(USERS, ticket))
    assert said(found) == []
    assert masks(found, "ticket") == {"no": "hash"}
    assert found.tables[name("ticket")].table.foreign_keys[0].declared


def test_references_to_what_is_not_copied_hand_nothing_down() -> None:
    found = match("tables: {users: skip, orders: {columns: {id: keep, user_id: redact}}}", schema(USERS, ORDERS))
    assert said(found) == []
    assert masks(found, "orders") == {"id": "keep", "user_id": "redact"}
    outside = table("t", column("x", INT), keys=(fk("x", "other.place", "id"),))
    assert masks(match("tables: {t: {columns: {x: redact}}}", schema(outside)), "t") == {"x": "redact"}


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
    again = Lock.beside(str(path))
    assert again.recording({name("users"): ["other"]}).columns(name("users")) == ("email", "id")
    assert again.accepting({name("users"): ["id", "email", "home_email"]}).columns(name("users")) == (
        "email",
        "home_email",
        "id",
    )
    assert not list(tmp_path.glob("*.tmp"))
    other = Lock.beside(str(tmp_path / "other.yaml"))
    assert other.columns(name("users")) is None
    other.accepting({name("users"): ["x"]}).write()
    assert Lock.beside(str(path)).columns(name("users")) == ("email", "id")


def test_a_broken_lock_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "dbmask.lock").write_text("{}", "utf-8")
    with pytest.raises(PolicyError, match="cannot be read as a lock file"):
        Lock.beside(str(tmp_path / "p.yaml"))


def test_a_lock_without_a_policy_file_is_not_written() -> None:
    lock = Lock.beside("")
    lock.write()
    assert lock == Lock()
