"""Every message that the protocol lets a client send, and every byte that names none, in each state of a session.

The table says what is answered; the rest is the same for all of them: no raw value, no session that hangs, and the next
client is served.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator

import pytest

from tests.proxy.proxied import ProxyWire
from tests.proxy.shop import SECRET, Shop
from tests.proxy.wire import messages

SERVED, REFUSED, ENDS, SILENT = "served", "refused", "ends", "closes"
"""What becomes of a message: it goes on to the database; an error, and the session goes on; a fatal error; the connection closes."""

SESSION: dict[str, tuple[bytes, bytes, str]] = {
    "Query": (b"Q", b"SELECT name FROM person LIMIT 1\0", SERVED),
    "Query of a table that is not there": (b"Q", b"SELECT * FROM ssn\0", REFUSED),
    "Query, empty": (b"Q", b"\0", SERVED),
    "Query without its end": (b"Q", b"SELECT 1", ENDS),
    "Parse": (b"P", b"\0SELECT name FROM person LIMIT 1\0\0\0", SERVED),
    "Parse of what is refused": (b"P", b"\0DELETE FROM person\0\0\0", REFUSED),
    "Parse without its end": (b"P", b"a", ENDS),
    "Bind to nothing": (b"B", b"\0nothing\0\0\0\0\0\0\0", REFUSED),
    "Bind, empty": (b"B", b"", REFUSED),
    "Describe nothing": (b"D", b"Snothing\0", REFUSED),
    "Describe what is neither": (b"D", b"Xnothing\0", REFUSED),
    "Execute nothing": (b"E", b"nothing\0\0\0\0\0", REFUSED),
    "Close nothing": (b"C", b"Pnothing\0", SERVED),
    "Flush": (b"H", b"", SERVED),
    "Sync": (b"S", b"", SERVED),
    "FunctionCall": (b"F", struct.pack("!ihhih", 1598, 0, 0, 0, 0), REFUSED),
    "CopyData": (b"d", b"1\tSecret\n", ENDS),
    "CopyDone": (b"c", b"", ENDS),
    "CopyFail": (b"f", b"no\0", ENDS),
    "PasswordMessage": (b"p", b"SCRAM-SHA-256\0", ENDS),
    "Terminate": (b"X", b"", SILENT),
}
"""Each message of a client's once the session stands."""


def idle(_: ProxyWire) -> None:
    """Nothing runs."""


def transaction(wire: ProxyWire) -> None:
    wire.query("BEGIN")


def failed(wire: ProxyWire) -> None:
    wire.query("BEGIN")
    wire.query("SELECT 1 / 0")


def extended(wire: ProxyWire) -> None:
    wire.send("P", b"\0SELECT name FROM person\0\0\0")
    wire.send("B", b"\0\0\0\0\0\0\0\0")


_OWN_ERROR = b'column "nothing" does not exist'


def skipping(wire: ProxyWire) -> None:
    """An error: the server takes nothing before a Sync."""
    wire.send("P", b"\0SELECT nothing\0\0\0")
    wire.send("H", b"")


def copying(wire: ProxyWire) -> None:
    """Rows that the client has not read."""
    wire.send("Q", b"COPY (SELECT aid, filler FROM pgbench_accounts) TO STDOUT\0")


STATES: dict[str, Callable[[ProxyWire], None]] = {
    f.__name__: f for f in (idle, transaction, failed, extended, skipping, copying)
}


@pytest.fixture(autouse=True)
def survives(place: Shop) -> Iterator[None]:
    """The next client is served, and nothing is left open."""
    yield
    wire = place.proxy.wire()
    assert wire.open()
    wire.query("SELECT 'still here'")
    assert b"still here" in wire.received
    wire.close()
    assert place.proxy.failures == []
    deadline = time.monotonic() + 10
    while place.proxy.sessions() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert place.proxy.sessions() == 0


def outcome(wire: ProxyWire, start: int) -> str:
    """What came since ``start``, once a Sync and a query were sent behind it."""
    wire.send("S", b"")
    wire.send("Q", b"ROLLBACK\0")
    wire.send("Q", b"SELECT 'the end'\0")
    while b"the end" not in wire.received[start:] and wire._more():
        continue
    told = [body for kind, body in messages(wire.received[start:]) if kind == "E"]
    if b"the end" in wire.received[start:]:
        return REFUSED if told else SERVED
    assert wire.socket.recv(1) == b""
    told = [body for body in told if _OWN_ERROR not in body]  # it may come before the end, or not any more
    assert not told or (b"SFATAL" in told[-1] and b"C08P01" in told[-1])
    return ENDS if told else SILENT


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", SESSION)
def test_a_message_in_a_session(place: Shop, name: str, state: str) -> None:
    kind, body, expected = SESSION[name]
    wire = place.proxy.wire()
    assert wire.open()
    STATES[state](wire)
    start = len(wire.received)
    wire.send(kind.decode(), body)
    found = outcome(wire, start)
    wire.close()
    assert SECRET not in wire.received
    if expected == SERVED and (state == "skipping" or (state == "failed" and name in ("Query", "Parse"))):
        expected = REFUSED  # by the database, as the state has it
    if state == "copying" and expected == ENDS and found == SILENT:
        return  # a row was half sent: the error reads as the rest of it
    assert found == expected


def test_bytes_that_name_no_message(place: Shop) -> None:
    known = {kind[0] for kind, _, _ in SESSION.values()}
    assert known == set(b"QPBDECHSFdcfpX")
    for byte in set(range(256)) - known:
        wire = place.proxy.wire()
        assert wire.open()
        start = len(wire.received)
        wire.raw(bytes([byte]) + struct.pack("!i", 12) + b"Secret1\0")
        assert outcome(wire, start) == ENDS, byte
        wire.close()


@pytest.mark.parametrize("length", [-1, 0, 3, 2**31 - 1, 200 * 2**20], ids=str)
@pytest.mark.parametrize("kind", ["Q", "P", "d", "S", "?"])
def test_a_length_that_cannot_be(place: Shop, kind: str, length: int) -> None:
    wire = place.proxy.wire()
    assert wire.open()
    start = len(wire.received)
    wire.raw(kind.encode() + struct.pack("!i", length))
    assert outcome(wire, start) == ENDS
    wire.close()


def packet(code: int, *words: str, end: bytes = b"\0") -> bytes:
    body = b"".join(w.encode() + b"\0" for w in words) + end
    return struct.pack("!ii", len(body) + 8, code) + body


USER = ("user", "ana", "database", "{database}")
NEGOTIATE, SASL = b"v", b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"
BEFORE: dict[str, tuple[bytes, bytes]] = {
    "StartupMessage": (packet(196608, *USER), SASL),
    "StartupMessage 3.2": (packet(196610, *USER), NEGOTIATE + struct.pack("!iii", 12, 196608, 0) + SASL),
    "StartupMessage with what a later protocol has": (
        packet(196608, *USER, "_pq_.secrets", "1"),
        NEGOTIATE + struct.pack("!iii", 25, 196608, 1) + b"_pq_.secrets\0" + SASL,
    ),
    "StartupMessage 2.0": (packet(131072, *USER), b"E"),
    "StartupMessage without a user": (packet(196608, "database", "{database}"), SASL),
    "StartupMessage of another database": (packet(196608, "user", "ana", "database", "postgres"), b"E"),
    "StartupMessage for replication": (packet(196608, *USER, "replication", "database"), b"E"),
    "StartupMessage for physical replication": (packet(196608, *USER, "replication", "true"), b"E"),
    "StartupMessage with options": (packet(196608, *USER, "options", "-c session_preload_libraries=x"), b"E"),
    "StartupMessage with a role": (packet(196608, *USER, "role", "postgres"), b"E"),
    "StartupMessage without its end": (packet(196608, *USER, end=b""), b"E"),
    "SSLRequest": (struct.pack("!ii", 8, 80877103), b"N"),
    "GSSENCRequest": (struct.pack("!ii", 8, 80877104), b"N"),
    "CancelRequest with a key of nobody's": (struct.pack("!iiii", 16, 80877102, 1, 2), b""),
    "a request that there is not": (struct.pack("!ii", 8, 80877105), b"E"),
    "Query before the login": (b"Q" + struct.pack("!i", 13) + b"SELECT 1\0", b"E"),
    "Terminate before the login": (b"X" + struct.pack("!i", 4), b"E"),
    "a length of nothing": (struct.pack("!i", 0), b"E"),
    "a length of everything": (struct.pack("!i", 2**31 - 1), b"E"),
}
"""What comes before a session, and how the answer begins."""


@pytest.mark.parametrize("name", BEFORE)
def test_what_comes_before_the_login(place: Shop, name: str) -> None:
    data, answer = BEFORE[name]
    wire = place.proxy.wire()
    wire.socket = wire.connected()
    wire.socket.settimeout(15)
    if b"{database}" in data:
        body = data[4:].replace(b"{database}", place.proxy.database.encode())
        data = struct.pack("!i", len(body) + 4) + body
    wire.raw(data)
    while len(wire.received) < max(1, len(answer)) and wire._more():
        continue
    wire.socket.close()
    if answer:
        assert wire.received.startswith(answer)
    else:
        assert wire.received == b""


@pytest.mark.parametrize("message", [m for m in SESSION if m not in ("PasswordMessage", "Terminate")])
def test_a_message_in_place_of_the_password(place: Shop, message: str) -> None:
    kind, body, _ = SESSION[message]
    wire = place.proxy.wire()
    wire.socket = wire.connected()
    wire.socket.settimeout(15)
    wire.raw(packet(196608, "user", "ana", "database", place.proxy.database))
    wire.send(kind.decode(), body)
    while wire._more():
        continue
    wire.socket.close()
    told = [b for k, b in messages(wire.received) if k == "E"]
    assert len(told) == 1 and b"SFATAL" in told[0]
    assert [k for k, _ in messages(wire.received)] == ["R", "E"]
