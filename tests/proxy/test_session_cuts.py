"""A recorded conversation, cut at every byte of either direction: what reaches the other side never depends on the cut."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dbmask.proxy.backend import Backend
from dbmask.proxy.login import Login
from dbmask.proxy.metrics import Numbers
from dbmask.proxy.session import Limits, Service, Session
from dbmask.proxy.wire import frame
from tests.proxy.shop import SECRET, Shop
from tests.proxy.test_fuzz import RecordedWire, converse
from tests.proxy.wire import messages

MARK = b"dbmask_" + b"5" * 32
RAW = b"SERROR\0VERROR\0C22P02\0Minvalid input: SecretValue\0DKey (name)=(SecretKey)\0WSecretPlace\0\0"


@dataclass
class Transport:
    """What a session may ask of asyncio's transports."""

    closing: bool = False
    pauses: list[bool] = field(default_factory=list)

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.pauses.append(True)

    def resume_reading(self) -> None:
        self.pauses.append(False)


class Side:
    """A Link without a socket: it keeps what is written to it."""

    peer = "local"

    def __init__(self) -> None:
        self.transport: Any = Transport()
        self.lost = self.gone = False
        self.said = b""
        self.ended: Callable[[], None] | None = None
        self.paused: Callable[[bool], None] | None = None
        self.taker: Callable[[bytes], None] | None = None

    def write(self, data: bytes) -> None:
        self.said += data

    def relay(self, taker: Callable[[bytes], None]) -> None:
        self.taker = taker

    def close(self) -> None:
        self.gone = True

    def abort(self) -> None:
        self.gone = True

    def lose(self) -> None:
        """The connection ends, as asyncio tells it."""
        self.lost = self.transport.closing = True
        if self.ended is not None:
            self.ended()


class Talk:
    """A session between two sides without sockets."""

    def __init__(self, place: Shop) -> None:
        rewrites = place.proxy.rewriter
        self.client, self.source = Side(), Side()
        self.over = 0
        client: Any = self.client
        source: Any = self.source
        self.session = Session(
            Service(rewrites, Limits(), Numbers().of(0)),
            Login("ana", "shop", ["public"]),
            client,
            Backend(source, {}, b""),
        )
        self.session.mark = MARK
        self.session.over = self.ended
        self.session.begin()

    def ended(self) -> None:
        self.over += 1

    def take(self, data: bytes) -> None:
        """The client sends."""
        assert self.client.taker is not None
        self.client.taker(data)

    def give(self, data: bytes) -> None:
        """The source sends."""
        assert self.source.taker is not None
        self.source.taker(data)


@pytest.fixture(scope="module")
def asked(place: Shop) -> bytes:
    """What a client says after its login."""
    wire = RecordedWire(str(place.proxy.path), "ana", place.proxy.database, {})
    converse(wire)
    wire.close()
    return wire.said.removesuffix(b"X\0\0\0\4") + b"F\0\0\0\x08\0\0\0\1" + b"H\0\0\0\4S\0\0\0\4"


def answered() -> bytes:
    """What a source says: messages of every kind, those that quote values or are not for clients among them."""
    columns = struct.pack("!h", 1) + b"name\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
    row = struct.pack("!hi", 1, 6) + b"masked"
    refused = b'SERROR\0VERROR\0C42601\0M syntax error at or near "' + MARK + b'_1"\0\0'
    said = [
        (b"S", b"session_authorization\0dbmask_role\0"),
        (b"S", b"TimeZone\0UTC\0"),
        (b"1", b""),
        (b"2", b""),
        (b"t", struct.pack("!hi", 1, 23)),
        (b"T", columns),
        *[(b"D", row)] * 5,
        (b"s", b""),
        (b"D", struct.pack("!hi", 1, -1)),
        (b"D", struct.pack("!hi", 1, 700) + b"E" * 700),
        (b"C", b"SELECT 7\0"),
        (b"N", RAW.replace(b"ERROR", b"NOTICE")),
        (b"E", RAW),
        (b"E", refused),
        (b"A", struct.pack("!i", 7) + b"channel\0SecretPayload\0"),
        (b"H", struct.pack("!bhh", 0, 1, 0)),
        (b"d", b"masked\n"),
        (b"c", b""),
        (b"G", struct.pack("!bhh", 0, 1, 0)),
        (b"n", b""),
        (b"I", b""),
        (b"3", b""),
        (b"Z", b"I"),
    ]
    return b"".join(frame(kind, body) for kind, body in said)


def whole_answer(place: Shop) -> bytes:
    talk = heard(place)
    talk.give(answered())
    return talk.client.said


def heard(place: Shop) -> Talk:
    """A session that has asked one statement, which is refused, and waits."""
    talk = Talk(place)
    talk.take(frame(b"Q", b"DELETE FROM person\0"))
    assert talk.session.busy and MARK + b"_1" in talk.source.said
    return talk


def settled(talk: Talk) -> bool:
    """Nothing runs, and the backend is as it was."""
    return not talk.session.busy and talk.session.clean


def test_what_the_source_says_is_cut_at_every_byte(place: Shop) -> None:
    said, whole = answered(), whole_answer(place)
    kinds = "".join(kind for kind, _ in messages(whole))
    assert kinds == "S12tT" + "D" * 5 + "sDDCNEEHdcnI3Z" and b"Secret" not in whole and MARK not in whole
    assert b"DELETE is not allowed here" in whole
    for at in range(len(said)):
        talk = heard(place)
        talk.give(said[:at])
        # Nothing is told that a whole message has not been looked at for, and nothing is told twice.
        assert whole.startswith(talk.client.said)
        assert talk.session.busy
        if at % 2:
            talk.give(said[at:])
            assert talk.client.said == whole and settled(talk)
            talk.client.lose()
        else:
            talk.source.lose()
            assert SECRET not in talk.client.said and talk.client.gone
            assert [k for k, _ in messages(frame_from(talk.client.said, whole))] == ["E"]
        assert talk.over == 1


def frame_from(said: bytes, whole: bytes) -> bytes:
    """What was said beyond what the source was asked to say."""
    last = said.rindex(b"SFATAL") - 5
    assert whole.startswith(said[:last]) and b"57P01" in said[last:]
    return said[last:]


def test_what_the_source_says_comes_byte_by_byte(place: Shop) -> None:
    said, whole = answered(), whole_answer(place)
    for size in (1, 2, 3, 5, 6, 7, 64, 705):
        talk = heard(place)
        for at in range(0, len(said), size):
            talk.give(said[at : at + size])
        assert talk.client.said == whole and talk.session.clean


def test_what_the_client_says_is_cut_at_every_byte(place: Shop, asked: bytes) -> None:
    first = Talk(place)
    first.take(asked)
    whole = first.source.said
    assert whole.count(MARK) == 2 and b"FROM person" not in whole
    for at in range(len(asked)):
        talk = Talk(place)
        talk.take(asked[:at])
        # Whole messages alone are sent on, rewritten, so the source never waits for the rest of one.
        assert whole.startswith(talk.source.said)
        assert b"".join(frame(k.encode(), b) for k, b in messages(talk.source.said)) == talk.source.said
        if at % 2:
            talk.take(asked[at:])
            assert talk.source.said == whole
        busy = talk.session.busy
        talk.client.lose()
        assert talk.over == 1 and not talk.client.said
        assert busy == (talk.session.open > 0 or talk.session.dirty)
        # A backend in the middle of something is never given to another client.
        assert not (talk.session.clean and talk.source.said)


@pytest.mark.parametrize("full", [True, False], ids=["fills", "empties"])
def test_a_side_that_does_not_read_stops_the_other(place: Shop, full: bool) -> None:
    talk = Talk(place)
    assert talk.client.paused is not None and talk.source.paused is not None
    talk.client.paused(full)
    talk.source.paused(full)
    assert talk.source.transport.pauses == talk.client.transport.pauses == [full]
    talk.session.check(talk.session.clock() + 3600 * (1 if full else 0))
    assert talk.over == (1 if full else 0)
