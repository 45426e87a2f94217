"""The search path is the source's own after whatever transactions and savepoints do to it."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.pq import TransactionStatus

from dbmask.proxy.paths import Move, Paths
from tests.proxy.shop import Shop

PROBE = "SELECT count(*) FROM town"
STATEMENTS = (
    *("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO SAVEPOINT b"),
    *("RELEASE a", "SET search_path = nowhere", "SET search_path = public", "SET LOCAL search_path = nowhere"),
    *("SET LOCAL search_path = public", "RESET search_path", "SELECT 1/0", "DELETE FROM", "SELECT 1"),
    "SET search_path = nowhere; SELECT 1/0",
)


def state(client: psycopg.Connection[tuple[object, ...]], text: str) -> tuple[str, TransactionStatus]:
    result = client.pgconn.exec_(text.encode())
    found = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b""
    return found.decode(), TransactionStatus(client.pgconn.transaction_status)


@settings(max_examples=60, derandomize=True, database=None)
@example(["SAVEPOINT a", "SET search_path = nowhere", "ROLLBACK TO a"])
@example(["BEGIN", "SAVEPOINT a", "SET search_path = nowhere", "ROLLBACK TO a"])
@example(["BEGIN", "SAVEPOINT a", "SET LOCAL search_path = nowhere", "SELECT 1/0", "ROLLBACK TO a", "COMMIT"])
@example(["BEGIN", "SET search_path = nowhere", "SAVEPOINT a", "RESET search_path", "ROLLBACK TO a", "COMMIT"])
@example(["BEGIN", "SET search_path = nowhere", "ROLLBACK"])
@example(["BEGIN", "SET search_path = nowhere", "SELECT 1/0", "COMMIT"])
@example(["SET search_path = nowhere; SELECT 1/0"])
@given(st.lists(st.sampled_from(STATEMENTS), min_size=3, max_size=12))
def test_names_are_found_as_in_the_source(place: Shop, texts: list[str]) -> None:
    with (
        psycopg.connect(place.proxy.url(), autocommit=True) as through,
        psycopg.connect(place.plain, autocommit=True) as direct,
    ):
        for text in texts:
            (_, ours), (_, theirs) = state(through, text), state(direct, text)
            assert ours == theirs, text
            if theirs != TransactionStatus.INERROR and theirs != TransactionStatus.INTRANS:
                assert state(through, PROBE) == state(direct, PROBE), text
            elif theirs == TransactionStatus.INTRANS:
                for client in (through, direct):
                    state(client, "SAVEPOINT probe")
                assert state(through, PROBE) == state(direct, PROBE), text
                for client in (through, direct):
                    state(client, "ROLLBACK TO probe")
                    state(client, "RELEASE probe")


def test_one_text_of_many_statements(place: Shop) -> None:
    text = "BEGIN; SAVEPOINT a; SET search_path = nowhere; ROLLBACK TO a; SELECT name FROM town ORDER BY id LIMIT 1; COMMIT"
    with psycopg.connect(place.proxy.url(), autocommit=True) as through:
        result = through.pgconn.exec_(text.encode())
        assert not result.error_message
        assert state(through, PROBE)[0] == ""


def test_what_is_pipelined_is_settled_at_its_end() -> None:
    paths = Paths(["public"])
    paths.take([Move("set", ("a",))], 1)
    paths.take([Move("local", ("b",))], 2)
    paths.ready(b"I")
    assert paths.now == ["b"]
    paths.ready(b"I")
    assert paths.now == ["a"]


@pytest.mark.parametrize(("tag", "wanted"), [(b"COMMIT", ["a"]), (b"ROLLBACK", ["public"])], ids=["commit", "rollback"])
def test_the_tag_says_how_a_transaction_ended(tag: bytes, wanted: list[str]) -> None:
    paths = Paths(["public"])
    paths.take([Move("set", ("a",))], 1)
    paths.failed()
    paths.ready(b"E")
    paths.completed(tag)
    paths.ready(b"I")
    assert paths.now == wanted
