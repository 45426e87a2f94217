"""The proxy under connections that are cut and delayed anywhere, and under bytes that are no protocol: it stays, and tells nothing."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proxy.cutting import Relay, relay
from tests.proxy.proxied import ProxyWire
from tests.proxy.shop import SECRET, Shop
from tests.proxy.wire import messages

QUERY = "SELECT id, name, mail FROM person ORDER BY id LIMIT 3"


class RelayedWire(ProxyWire):
    """A Wire to a TCP port."""

    def __init__(self, port: int, database: str) -> None:
        super().__init__("", "ana", database, {})
        self.port = port

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port))


@pytest.fixture(autouse=True)
def survives(place: Shop) -> Iterator[None]:
    """After each test the proxy serves as before, has nothing left open, and asyncio reported nothing."""
    yield
    wire = place.proxy.wire()
    assert wire.open()
    wire.query(QUERY)
    assert b"SELECT 3" in wire.received and SECRET not in wire.received
    wire.close()
    assert place.proxy.failures == []
    deadline = time.monotonic() + 10
    while place.proxy.sessions() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert place.proxy.sessions() == 0


def converse(wire: ProxyWire) -> None:
    """A conversation with most messages of the protocol, as far as it comes."""
    if not wire.open():
        return
    wire.query(QUERY)
    wire.step(["P", "s", "SELECT name FROM person WHERE id > $1", [23]], {})
    wire.step(["B", "p", "s", ["37"], [1]], {})
    for step in (["D", "P", "p"], ["E", "p", 2], ["E", "p", 0], ["C", "S", "s"], ["S"]):
        wire.step(step, {})
    wire.query("COPY (SELECT mail FROM person WHERE id < 3) TO STDOUT")
    wire.query("DELETE FROM person")


def cut(place: Shop, through: Relay, **how: Any) -> bytes:
    """One conversation through the relay."""
    for name, value in {"up": 1 << 30, "down": 1 << 30, "piece": 65536, "pause": 0.0, "reset": False, **how}.items():
        setattr(through, name, value)
    wire = RelayedWire(through.port, place.proxy.database)
    try:
        converse(wire)
        wire.close()
    except OSError:
        wire.socket.close()
    assert SECRET not in wire.received
    return wire.received


def test_a_conversation_is_cut_at_every_byte(place: Shop) -> None:
    with relay(place.proxy.port) as through:
        whole = cut(place, through)
        up, down = through.passed
        assert b"DELETE is not allowed here" in whole and up > 400 and down > 1000
        for at in range(1, up):
            cut(place, through, up=at, reset=bool(at % 2))
        for at in range(1, down):
            assert whole.startswith(cut(place, through, down=at, reset=bool(at % 2))[:20])


@pytest.mark.parametrize(("piece", "pause"), [(1, 0.0), (3, 0.0002), (7, 0.001)], ids=["bytes", "threes", "sevens"])
def test_a_conversation_comes_in_pieces(place: Shop, piece: int, pause: float) -> None:
    with relay(place.proxy.port) as through:
        received = cut(place, through, piece=piece, pause=pause)
    kinds = "".join(k for k, _ in messages(received))
    assert kinds.endswith("EZ") and kinds.count("Z") == 5 and b"DELETE is not allowed here" in received


def sent(place: Shop, data: bytes, wire: ProxyWire | None = None) -> bytes:
    """What comes back for bytes, until the proxy ends the connection."""
    if wire is None:
        wire = place.proxy.wire()
        wire.socket = socket.socket(socket.AF_UNIX)
        wire.socket.settimeout(15)
        wire.socket.connect(wire.path)
    wire.raw(data)
    try:
        wire.socket.shutdown(socket.SHUT_WR)
    except OSError:  # it has ended it already
        wire.socket.close()
        return wire.received
    while wire._more():
        continue
    wire.socket.close()
    assert SECRET not in wire.received
    return wire.received


def startup(code: int, body: bytes) -> bytes:
    return struct.pack("!ii", len(body) + 8, code) + body


def test_bytes_before_the_login(place: Shop) -> None:
    luck = random.Random(7)  # noqa: S311 - the same at each run
    login = f"user\0ana\0database\0{place.proxy.database}\0\0".encode()
    for number in range(300):
        noise = luck.randbytes(luck.choice([1, 4, 7, 8, 30, 400, 12_000]))
        made = [
            noise,
            startup(196608, noise),
            startup(196608, login) + noise,
            startup(196608, login) + b"p" + struct.pack("!i", len(noise) + 4) + noise,
            startup(196608, login)
            + b"p"
            + struct.pack("!i", len(noise) + 22)
            + b"SCRAM-SHA-256\0"
            + struct.pack("!i", 9)
            + noise,
            startup(80877102, noise[:8].ljust(8, b"\0")),
            startup(80877103, b"") + noise,
            startup(luck.randrange(1 << 31), login),
        ]
        sent(place, made[number % len(made)])


def test_bytes_after_the_login(place: Shop) -> None:
    luck = random.Random(8)  # noqa: S311 - the same at each run
    spoken = RecordedWire(str(place.proxy.path), "ana", place.proxy.database, {})
    converse(spoken)
    spoken.close()
    for number in range(120):
        wire = place.proxy.wire()
        assert wire.open()
        said = bytearray(spoken.said)
        if number % 3 == 0:
            said = bytearray(luck.randbytes(luck.choice([1, 5, 60, 3000])))
        for _ in range(luck.choice([1, 1, 3, 20])):
            place_of = luck.randrange(len(said))
            said[place_of] = luck.randrange(256)
        if number % 5 == 0:
            del said[luck.randrange(len(said)) :]
        sent(place, bytes(said), wire)


class RecordedWire(ProxyWire):
    """A Wire that notes what it says after the login."""

    said = b""

    def raw(self, data: bytes) -> None:
        if b"Z" in {k.encode() for k, _ in messages(self.received)}:
            self.said += data
        super().raw(data)


FRAMES = st.lists(
    st.tuples(st.sampled_from("QPBDECHSFpdcfXZRT\0q"), st.binary(max_size=60), st.integers(-6, 6)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, derandomize=True, database=None)
@given(frames=FRAMES)
def test_frames_of_any_kind(place: Shop, frames: list[tuple[str, bytes, int]]) -> None:
    wire = place.proxy.wire()
    assert wire.open()
    data = b"".join(
        k.encode() + struct.pack("!i", len(b) + 4 + (off if abs(off) == 6 else 0)) + b for k, b, off in frames
    )
    assert messages(sent(place, data, wire))


_TEXT = (
    "SELECT name mail FROM person p public . , ( ) * ' \" $$ $1 ; -- /* */ WHERE = :: text [ ] WITH AS UNION JOIN ON LATERAL "
    "ROW ( ARRAY [ E'\\ U&'\\ \0 \u00e9 \ud7ff COPY TO STDOUT EXPLAIN BEGIN FETCH ALL c CASE WHEN THEN END query_to_xml"
)
WORDS = st.sampled_from(_TEXT.split(" "))


@settings(max_examples=150, derandomize=True, database=None)
@given(
    texts=st.lists(st.one_of(st.lists(WORDS, max_size=14).map(" ".join), st.text(max_size=40)), min_size=4, max_size=4)
)
def test_statements_of_any_words(place: Shop, texts: list[str]) -> None:
    wire = place.proxy.wire()
    assert wire.open()
    for text in texts:
        wire.query(text.encode("utf-8", "replace").replace(b"\0", b" "))
        # The mark by which the proxy knows its own errors is never told.
        assert b"dbmask_" not in wire.received.replace(b"dbmask_admin", b"")
    wire.query("ROLLBACK; SELECT 'here'")
    assert b"here" in wire.received and SECRET not in wire.received
    wire.close()


@pytest.mark.parametrize("depth", [50, 500, 5000, 50_000])
def test_deep_statements(place: Shop, depth: int) -> None:
    wire = place.proxy.wire()
    assert wire.open()
    for text in (
        "SELECT " + "(" * depth + "1" + ")" * depth,
        "SELECT " + "- " * depth + "1",
        "SELECT 1" + " UNION SELECT name FROM person" * min(depth, 5000),
        "SELECT " + "(SELECT " * depth + "1" + ")" * depth,
        "SELECT name FROM person WHERE " + " AND ".join(["id > 0"] * min(depth, 5000)),
        "WITH " + ", ".join(f"c{i} AS (SELECT 1)" for i in range(min(depth, 5000))) + " SELECT 1",
    ):
        wire.query(text)
    wire.query("SELECT 'here'")
    assert b"here" in wire.received and SECRET not in wire.received
    wire.close()
