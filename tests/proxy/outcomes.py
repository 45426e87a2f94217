"""What the corpus wants of an attempt, asserted on the bytes that came back."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.proxy.corpus import canaries
from tests.proxy.wire import Wire, messages, rows_of

__all__ = ["Answer", "attempt", "errors_of", "leaks", "require", "states"]

_SETUP = "KRSZ"  # login, settings and readiness
_ABORTED = "25P02"
Connect = Callable[[Mapping[str, str]], Wire]
"""Startup parameters -> a connection that is not open."""


@dataclass
class Answer:
    """What came back: every byte, the answers' messages, and whether the session went on."""

    received: bytes = b""
    said: list[tuple[str, bytes]] = field(default_factory=list)
    usable: bool = False
    seconds: float = 0.0


def leaks(received: bytes, more: str | None = None) -> list[str]:
    """The patterns found in the stream, in all values one after the other, and in each column's."""
    rows = rows_of(received)
    joined = b"".join(v for row in rows for v in row)
    width = max((len(r) for r in rows), default=0)
    columns = [b"".join(r[i] for r in rows if i < len(r)) for i in range(width)]
    patterns = [*canaries()] + ([re.compile(more.encode())] if more else [])
    return [p.pattern.decode() for p in patterns for text in (received, joined, *columns) if p.search(text)]


def errors_of(said: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """The bodies of the ErrorResponses."""
    return [body for kind, body in said if kind == "E"]


def states(said: Sequence[tuple[str, bytes]]) -> list[str]:
    """The SQLSTATEs of the ErrorResponses, in order."""
    found = [{p[:1]: p[1:] for p in body.split(b"\0") if p}.get(b"C", b"") for body in errors_of(said)]
    return [state.decode() for state in found]


def attempt(connect: Connect, attack: Mapping[str, Any], texts: Sequence[Any], oids: Mapping[str, int]) -> Answer:
    """Send an attempt's statements and messages on a connection of its own."""
    wire = connect(attack.get("startup", {}))
    answer = Answer()
    ready = wire.open()
    greeted = len(wire.received) if ready else 0
    begun = time.perf_counter()
    if ready:
        for text in texts:
            wire.query(bytes.fromhex(text["hexq"]) if isinstance(text, dict) else text)
        for step in attack.get("proto", []):
            wire.step(step, oids)
    answer.seconds = time.perf_counter() - begun
    answer.received = wire.received
    rest = wire.received[greeted:]
    if any(s[0] in ("SSLSTUFF", "GSSSTUFF") for s in attack.get("proto", [])):
        rest = rest.removeprefix(b"N")  # the answer to a request for encryption, which is no message
    answer.said = [(k, b) for k, b in messages(rest) if k not in _SETUP]
    wire.query("ROLLBACK")
    before = len(wire.received)
    wire.query("SELECT 'still ' || 'here'")
    answer.usable = b"still here" in wire.received[before:]
    wire.close()
    return answer


@contextmanager
def other_session(connect: Connect, attack: Mapping[str, Any]) -> Iterator[None]:
    """Another session of the same role, open meanwhile, where an attempt wants one."""
    texts = attack.get("other_session", [])
    wire = connect({})
    if texts:
        assert wire.open()
        for text in texts:
            wire.query(text)
    yield
    if texts:
        wire.close()


def require(
    connect: Connect, attack: Mapping[str, Any], oids: Mapping[str, int], direct: Mapping[str, Any], told: bool = False
) -> None:
    """Assert that nothing raw comes back and that the outcome is the one required.

    ``direct`` has what ``allow`` compares with; ``told`` says that a literal of a definition does come back. The outcome
    "silent" wants no more than that nothing raw comes.
    """
    answer = attempt(connect, attack, attack["sql"], oids)
    must, identifier = attack["must"], attack["id"]
    assert bool(leaks(answer.received, attack.get("leak_regex"))) is told
    if must == "silent":
        return
    assert answer.usable or attack.get("fatal") or (attack.get("startup") and states(answer.said)), answer.said
    if must == "masked":
        assert not states(answer.said), answer.said
        wants_rows = any(s[0] == "E" for s in attack.get("proto", [])) or attack["sql"]
        assert any(k == ("D" if wants_rows else "T") for k, _ in answer.said)
    elif must == "allow":
        assert not states(answer.said), answer.said
        assert _comparable(answer.said, attack) == _comparable(direct[identifier], attack)
    elif must == "error":
        assert states(answer.said)
        _require_listed(answer, attack)
    elif must == "any":
        _require_listed(answer, attack)
    else:
        _require_control(connect, attack, answer, oids)


def _comparable(said: Sequence[tuple[str, bytes]], attack: Mapping[str, Any]) -> list[Any]:
    """Messages without where a column comes from, which a computed one does not say; rows sorted where no order is asked for."""
    columns = [[(name, *rest[2:]) for name, *rest in _columns(body)] for kind, body in said if kind == "T"]
    rest = [(kind, body) for kind, body in said if kind != "T"]
    ordered = any("ORDER BY" in text for text in attack["sql"])
    return [columns, rest if ordered else sorted(rest)]


def _columns(body: bytes) -> Iterator[tuple[Any, ...]]:
    """Name, table, column, type, size, modifier and format of each column of a RowDescription."""
    at = 2
    while at < len(body):
        end = body.index(0, at)
        yield body[at:end], *struct.unpack_from("!IhIhih", body, end + 1)
        at = end + 19


def _require_listed(answer: Answer, attack: Mapping[str, Any]) -> None:
    found = states(answer.said)
    rest = found[1:] if found and found[0] in attack["sqlstate"] else found
    assert set(found[:1]) | set(rest) - {_ABORTED} <= set(attack["sqlstate"]), answer.said


def _require_control(connect: Connect, attack: Mapping[str, Any], answer: Answer, oids: Mapping[str, int]) -> None:
    if attack["must"] == "masked_order":
        rows = rows_of(attempt(connect, {}, ["SELECT id, ssn FROM users"], oids).received)
        assert len(rows) > 2
        expected = max((r for r in rows if r[1]), key=lambda r: r[1])[0]
        nulls = [r[0] for r in rows if not r[1]]
        assert rows_of(answer.received) == [[nulls[0] if nulls else expected]]
        return
    controls = [attempt(connect, attack, [attack["control_sql"]], oids) for _ in range(2)]
    if attack["must"] == "same":
        normal = re.compile(attack.get("normalize", "$^").encode())
        both = [[(k, normal.sub(b"", b)) for k, b in a.said] for a in (answer, controls[0])]
        assert both[0] and both[0] == both[1]
        return
    assert attack["must"] == "timing"
    if states(answer.said):
        assert set(states(answer.said)) <= set(attack["sqlstate"])
        return
    # The quickest of several: a shared machine is slow at times.
    tries = [answer, *(attempt(connect, attack, attack["sql"], oids) for _ in range(2))]
    assert abs(min(t.seconds for t in tries) - min(t.seconds for t in controls)) < 0.05
