"""What foreign keys hand down: chains, circles, composites, groups, and tables that follow other tables."""

from __future__ import annotations

import pytest

from dbmask.schema import Column, Table, TableKind
from tests.policy.helpers import ORDERS, USERS, masks, match, said
from tests.schemas import INT, column, fk, name, schema, table

KEPT = "users: {columns: {id: hash, '*': keep}}"


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


def test_what_stands_between_hands_on_what_it_takes() -> None:
    # c -> b -> a: a is not cloned, so that b's own mask is what c follows.
    a = table("a", column("id", INT))
    b = table("b", column("id", INT), keys=(fk("id", "a", "id"),))
    c = table("c", column("id", INT), keys=(fk("id", "b", "id"),))
    found = match("tables: {a: skip, b: {columns: {id: hash}}, c: {columns: {}}}", schema(c, b, a))
    assert said(found) == []
    assert masks(found, "c") == {"id": "hash"}
    assert found.tables[name("c")].columns["id"].inherited_from == (name("b"), "id")


def test_references_to_nothing_and_to_itself() -> None:
    a = table("a", column("id", INT), column("up", INT), keys=(fk("id", "a", "id"), fk("up", "gone", "id")))
    assert masks(match("tables: {a: {columns: {id: hash, up: keep}}}", schema(a)), "a") == {"id": "hash", "up": "keep"}


def test_a_long_chain_is_followed_to_its_end() -> None:
    count = 3000
    tables = [table("t0", column("id", INT))]
    tables += [table(f"t{i}", column("id", INT), keys=(fk("id", f"t{i - 1}", "id"),)) for i in range(1, count)]
    text = "tables: {'t*': {columns: {}}, t0: {columns: {id: hash}}}"
    found = match(text, schema(*reversed(tables)))
    assert said(found) == []
    assert found.tables[name(f"t{count - 1}")].columns["id"].inherited_from == (name("t0"), "id")


def test_two_circles_and_a_way_between_them() -> None:
    # a <-> b, c <-> d, and b -> c: all follow the circle that is referred to.
    keys = {"a": ("b",), "b": ("a", "c"), "c": ("d",), "d": ("c",)}
    tables = [table(n, column("x", INT), keys=tuple(fk("x", ref, "x") for ref in refs)) for n, refs in keys.items()]
    text = "tables: {a: {columns: {}}, b: {columns: {}}, c: {columns: {}}, d: {columns: {x: hash}}}"
    found = match(text, schema(*tables))
    assert said(found) == []
    assert {n: masks(found, n)["x"] for n in keys} == dict.fromkeys(keys, "hash")


def test_in_a_circle_a_name_beats_a_pattern() -> None:
    a = table("a", column("x", INT), keys=(fk("x", "b", "x"),))
    b = table("b", column("x", INT), keys=(fk("x", "a", "x"),))
    found = match("tables: {a: {columns: {'*': redact}}, b: {columns: {x: hash}}}", schema(a, b))
    assert said(found) == []
    assert (masks(found, "a"), masks(found, "b")) == ({"x": "hash"}, {"x": "hash"})
    both = match("tables: {a: {columns: {x: redact}}, b: {columns: {x: hash}}}", schema(a, b))
    assert said(both) == [
        "p.yaml:2: public.b.x refers to public.a.x, which has the mask redact, and is given another "
        "(leave the line out: a foreign key follows the column that it refers to)"
    ]


def test_a_pattern_is_not_written_for_the_key_and_yields() -> None:
    text = f"tables: {{{KEPT}, orders: {{columns: {{'*': keep}}}}}}"
    found = match(text, schema(USERS, ORDERS))
    assert said(found) == []
    assert masks(found, "orders") == {"id": "keep", "user_id": "hash"}
    by_table = match(f"tables: {{{KEPT}, 'o*': {{columns: {{id: keep, user_id: keep}}}}}}", schema(USERS, ORDERS))
    assert said(by_table) == []
    assert masks(by_table, "orders") == {"id": "keep", "user_id": "hash"}


def test_kept_tables_follow_too() -> None:
    found = match(f"tables: {{{KEPT}, orders: keep}}", schema(USERS, ORDERS))
    assert masks(found, "orders") == {"id": "keep", "user_id": "hash"}
    by_default = match(f"tables: {{{KEPT}}}\ndefault: keep", schema(USERS, ORDERS))
    assert masks(by_default, "orders") == {"id": "keep", "user_id": "hash"}


def test_generated_columns_follow_nothing() -> None:
    made = table("t", column("a", INT), column("b", INT, generated_from=("a",)), keys=(fk("b", "users", "id"),))
    assert masks(match(f"tables: {{{KEPT}, t: keep}}", schema(USERS, made)), "t") == {"a": "keep", "b": None}


GROUP = "anonymizer: {rc: id, birthDayMin: 1901-01-01, birthDayMax: 2008-04-23}"


def test_a_column_of_a_group_may_not_be_referred_to() -> None:
    text = (
        f"tables:\n users:\n  {GROUP}\n  columns: {{'*_email': keep, email: keep}}\n orders: {{columns: {{id: keep}}}}"
    )
    found = match(text, schema(USERS, ORDERS))
    assert said(found)[0] == (
        "p.yaml:4: public.orders.user_id refers to public.users.id, and public.users.id is masked together with other columns "
        "(a key needs a mask of its value alone: take it out of the group and give it one)"
    )


def test_a_column_of_a_group_may_not_refer_to_another_either() -> None:
    group = GROUP.replace("rc: id", "rc: user_id")
    found = match(f"tables:\n {KEPT}\n orders:\n  {group}\n  columns: {{id: keep}}", schema(USERS, ORDERS))
    assert said(found) == [
        "p.yaml:5: public.orders.user_id refers to public.users.id, and public.orders.user_id is masked together with "
        "other columns (a key needs a mask of its value alone: take it out of the group and give it one)"
    ]


def test_references_to_partitions_lead_to_their_table() -> None:
    db = schema(
        table("p", column("id", INT), column("u", INT), kind=TableKind.PARTITIONED, keys=(fk("u", "users", "id"),)),
        table(
            "p1",
            column("id", INT),
            column("u", INT),
            kind=TableKind.PARTITION,
            parents=("p",),
            keys=(fk("u", "users", "id"),),
        ),
        table("r", column("p", INT), column("q", INT), keys=(fk("p", "p1", "id"), fk("q", "p1", "gone"))),
        USERS,
    )
    found = match(f"tables: {{{KEPT}, p: {{columns: {{id: redact}}}}, r: {{columns: {{q: keep}}}}}}", db)
    assert said(found) == []
    assert masks(found, "p1") == {"id": "redact", "u": "hash"}
    assert masks(found, "r") == {"p": "redact", "q": "keep"}
    assert found.tables[name("p1")].columns["u"].inherited_from == (name("users"), "id")


def test_an_inheritance_child_takes_what_its_parent_took_and_its_own_keys_may_not_differ() -> None:
    parent = table("p", column("u", INT), column("v", INT), keys=(fk("u", "users", "id"),))
    child = table("c", column("u", INT), column("v", INT), kind=TableKind.CHILD, parents=("p",))
    text = f"tables: {{{KEPT}, p: {{columns: {{v: keep}}}}}}"
    found = match(text, schema(parent, child, USERS))
    assert said(found) == []
    assert masks(found, "c") == {"u": "hash", "v": "keep"}
    assert found.tables[name("c")].why == "follows public.p"
    own = table("c", *child.columns, kind=TableKind.CHILD, parents=("p",), keys=(fk("v", "users", "id"),))
    assert said(match(text, schema(parent, own, USERS))) == [
        "p.yaml:2: public.c.v refers to public.users.id, which has the mask hash, and is given another "
        "(leave the line out: a foreign key follows the column that it refers to)"
    ]


def test_relations_without_a_schema_are_of_the_default_one_and_known_ones_change_nothing() -> None:
    ticket = table("ticket", column("no", INT), column("at", INT))
    text = f"tables: {{{KEPT}, ticket: {{columns: {{at: keep}}}}, orders: {{columns: {{id: keep}}}}}}\nrelations: "
    found = match(text + "[ticket.no -> users.id, orders.user_id -> users.id]", schema(USERS, ORDERS, ticket))
    assert said(found) == []
    assert masks(found, "ticket") == {"no": "hash", "at": "keep"}
    assert len(found.tables[name("orders")].table.foreign_keys) == 1


def test_composite_relations_are_followed_column_by_column() -> None:
    one = table("one", column("a", INT), column("b", INT))
    two = table("two", column("x", INT), column("y", INT))
    text = "tables: {one: {columns: {a: hash, b: redact}}, two: {columns: {}}}\nrelations: ['two(y, x) -> one(a, b)']"
    found = match(text, schema(one, two))
    assert said(found) == []
    assert masks(found, "two") == {"x": "redact", "y": "hash"}


def test_a_column_of_two_keys_that_agree() -> None:
    both = table("both", column("x", INT), keys=(fk("x", "users", "id"), fk("x", "orders", "id")))
    text = f"tables: {{{KEPT}, orders: {{columns: {{id: hash}}}}, both: {{columns: {{}}}}}}"
    found = match(text, schema(USERS, ORDERS, both))
    assert said(found) == []
    assert masks(found, "both") == {"x": "hash"}


FILLED = "the database fills from masked values (mask what is referred to, or keep what it is made of: references can be followed then)"


@pytest.mark.parametrize("inputs", [("a",), ()])
def test_references_to_generated_columns(inputs: tuple[str, ...]) -> None:
    made = [Column(n, INT, generated="stored", generated_from=inputs) for n in ("g", "h")]
    one = Table(name("one"), (column("a", INT), *made))
    two = table("two", column("x", INT), keys=(fk("x", "one", "g"),))
    kept = match("tables: {one: {columns: {a: keep}}, two: {columns: {x: keep}}}", schema(one, two))
    assert said(kept) == []
    masked = match("tables: {one: {columns: {a: hash}}, two: {columns: {x: keep}}}", schema(one, two))
    assert said(masked) == [f"public.two.x: refers to public.one.g, which {FILLED}"]
    unsaid = match("tables: {one: {columns: {a: hash}}, two: {columns: {}}}", schema(one, two))
    assert said(unsaid) == [
        f"public.two.x: refers to public.one.g, which {FILLED}",
        "public.two.x: is not named in the policy (give it a mask, or `keep`)",
    ]


def test_references_to_what_a_trigger_fills() -> None:
    one = table("one", column("id", INT), key="id")
    two = table("two", column("x", INT), keys=(fk("x", "one", "id"),))
    found = match("tables: {one: {columns: {id: recompute}}, two: {columns: {x: keep}}}", schema(one, two))
    assert said(found) == [f"public.two.x: refers to public.one.id, which {FILLED}"]


def test_a_generated_column_that_is_made_of_a_key_that_follows() -> None:
    one = table("one", column("k", INT), column("g", INT, generated_from=("k",)), keys=(fk("k", "users", "id"),))
    two = table("two", column("x", INT), keys=(fk("x", "one", "g"),))
    text = "one: keep, two: {columns: {x: keep}}"
    assert len(said(match(f"tables: {{{KEPT}, {text}}}", schema(USERS, one, two)))) == 1
    kept = "users: {columns: {'*': keep}}"
    assert said(match(f"tables: {{{kept}, {text}}}", schema(USERS, one, two))) == []


def test_a_child_of_a_kept_table_follows_its_own_keys() -> None:
    parent = table("p", column("u", INT))
    child = table("c", column("u", INT), kind=TableKind.CHILD, parents=("p",), keys=(fk("u", "users", "id"),))
    found = match(f"tables: {{{KEPT}, p: keep}}", schema(parent, child, USERS))
    assert said(found) == []
    assert (masks(found, "p"), masks(found, "c")) == ({"u": "keep"}, {"u": "hash"})
