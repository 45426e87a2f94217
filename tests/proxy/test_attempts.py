"""Every attempt of the table is made through the proxy, and every production of the grammar has one."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from dbmask.proxy.trees import parsed
from tests.proxy.attempts import NODES, NOT_WRITTEN, REFUSED, SERVED
from tests.proxy.attempts_functions import FUNCTIONS
from tests.proxy.outcomes import states
from tests.proxy.proxied import ProxyWire
from tests.proxy.shop import SECRET, Shop
from tests.proxy.wire import messages

FORMS = (
    *(SECRET, SECRET[::-1], SECRET.hex().encode(), SECRET.upper(), SECRET.lower(), base64.b64encode(SECRET)),
    b" ".join(str(b).encode() for b in SECRET),
)


@pytest.fixture(scope="module")
def wire(place: Shop) -> Iterator[ProxyWire]:
    made = place.proxy.wire()
    assert made.open()
    yield made
    made.close()


def answer(wire: ProxyWire, text: str) -> list[tuple[str, bytes]]:
    """The messages that came back, none of which has a raw value; the session goes on."""
    before = len(wire.received)
    wire.query(text)
    received = wire.received[before:]
    titles = received.replace(b"Secret name", b"").replace(b"secrets", b"")  # a title, and a table in plans
    assert not [form for form in FORMS if form in titles], received
    wire.query("ROLLBACK; SELECT 'here'")
    assert b"here" in wire.received[before:]
    return [(k, b) for k, b in messages(received) if k != "Z"]


def kinds(message: Any) -> Iterator[str]:
    """The kinds of all nodes of a tree, and the names of messages that stand in them without being nodes."""
    if message.DESCRIPTOR.name == "Node":
        kind = message.WhichOneof("node")
        if kind:
            yield kind
    else:
        yield message.DESCRIPTOR.name
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from kinds(part)


def flat(name: str) -> str:
    return name.replace("_", "").lower()


def test_every_production_has_an_attempt() -> None:
    node = type(parsed("SELECT 1").stmts[0].stmt).DESCRIPTOR
    every = {f.name for f in node.oneofs_by_name["node"].fields}
    covered = set(SERVED) | set(REFUSED) | set(NODES)
    assert covered - every == set()
    assert every - covered - NOT_WRITTEN == set()
    assert covered & NOT_WRITTEN == set()


@pytest.mark.parametrize(("kind", "text"), [*SERVED.items(), *NODES.items()], ids=[*SERVED, *NODES])
def test_an_attempt_has_what_it_is_for(kind: str, text: str) -> None:
    assert flat(kind) in {flat(k) for k in kinds(parsed(text))}


@pytest.mark.parametrize(("kind", "text"), SERVED.items(), ids=SERVED)
def test_what_is_served(wire: ProxyWire, kind: str, text: str) -> None:
    assert states(answer(wire, text)) == [], kind


@pytest.mark.parametrize(("kind", "text"), NODES.items(), ids=NODES)
def test_what_stands_in_queries(wire: ProxyWire, kind: str, text: str) -> None:
    said = answer(wire, text)
    newer = kind.startswith("json_")  # of PostgreSQL 16 and later
    assert states(said) == [] or (newer and set(states(said)) <= {"42601", "42883", "42704", "42501", "22P02"}), said
    assert newer or any(k in ("D", "d") for k, _ in said)


@pytest.mark.parametrize(
    ("kind", "text"),
    [(k, t) for k, texts in REFUSED.items() for t in texts],
    ids=[t[:60] for ts in REFUSED.values() for t in ts],
)
def test_what_is_refused(wire: ProxyWire, kind: str, text: str) -> None:
    assert parsed(text).stmts[0].stmt.WhichOneof("node") == kind
    said = answer(wire, text)
    assert set(states(said)) <= {"42501", "0A000", "42P01"} and states(said), said
    assert all(b"dbmask" in body for _, body in said if _ == "E")


@pytest.mark.parametrize("call", [c for calls in FUNCTIONS.values() for c in calls])
def test_functions(wire: ProxyWire, call: str) -> None:
    for text in (f"SELECT {call}", f"SELECT * FROM {call} AS f", f"SELECT name FROM person WHERE ({call}) IS NULL"):
        said = answer(wire, text)
        assert set(states(said)) <= {"42501", "42601", "42883", "42809", "42804"}, said
        if "pg_get_expr" not in call and "sqlbody" not in call:  # those two have no value to tell
            assert states(said), said


def test_every_function_of_the_system_by_the_list(place: Shop) -> None:
    """What is on the list computes from its arguments alone: no function that reads tables, files or sessions is."""
    with place.postgres.connect() as c:
        rows = c.execute(
            "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (NOT has_function_privilege("
            "'public', oid, 'EXECUTE') OR prosecdef OR proname ~ '^(lo_|pg_(ls|read|stat|log|wal|replication|rotate|reload|sleep))'"
            " OR provolatile = 'v' AND proname NOT IN ('random', 'clock_timestamp', 'timeofday',"
            " 'gen_random_uuid', 'setseed', 'random_normal'))"
        ).fetchall()
    listed = {name for _, name in place.proxy.rewriter.catalog.functions}
    # What tells sizes, partitions and names, and what takes away the session's own locks.
    known = {
        *(
            "set_config",
            "pg_relation_size",
            "pg_table_size",
            "pg_total_relation_size",
            "pg_indexes_size",
            "pg_database_size",
        ),
        *("pg_partition_ancestors", "pg_partition_tree", "pg_lsn", "pg_is_in_recovery", "pg_statistics_obj_is_visible"),
        "pg_advisory_unlock_all",
    }
    assert {r[0] for r in rows} & listed - known == set()
