"""One client and its backend: what the client asks is rewritten, what the source answers is handed on as it comes.

A refused statement is sent on as a syntax error with a random mark, so that the backend itself keeps transactions and
pipelines as PostgreSQL does; its answer is then replaced by the refusal.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dbmask.proxy.audit import Log, Trail
from dbmask.proxy.backend import Backend
from dbmask.proxy.describe import described
from dbmask.proxy.link import Link
from dbmask.proxy.login import Login
from dbmask.proxy.metrics import Counters
from dbmask.proxy.paths import Paths
from dbmask.proxy.rewrite import Refused, Rewritten
from dbmask.proxy.rewrite_catalog import Catalog
from dbmask.proxy.wire import ProtocolError, cleaned, error, fields, frame, string, text

__all__ = ["Limits", "Rewrites", "Service", "Session"]

_length = struct.Struct("!i").unpack_from
_ROW = ord("D")
_PASSED = frozenset(b"BDEC")
_SYNC, _FLUSH = b"SH"
_READ = frozenset(b"ENAGSZCT")  # of the source's messages those that are looked into; all others go on unread
_MAX_REFUSALS = 1000
_UNTOLD = (b"is_superuser\0", b"session_authorization\0")


class Rewrites(Protocol):
    """Whatever rewrites statements, for one state of the catalog."""

    catalog: Catalog

    def rewrite(
        self, text: str, path: Sequence[str], user: str = "", default: Sequence[str] | None = None
    ) -> Rewritten:
        """Rewrite, as :meth:`dbmask.proxy.rewrite.Rewriter.rewrite` does; raises Refused."""


@dataclass
class Limits:
    """Sizes in bytes, times in seconds; 0 is no limit of time."""

    connections: int = 500
    message: int = 16 << 20
    login: float = 20.0
    idle: float = 3600.0
    statement: float = 0.0
    stalled: float = 60.0
    """How long a client may leave unread what it asked for."""


@dataclass
class Service:
    """What sessions of one process share; ``rewrites`` is replaced when the source's views change."""

    rewrites: Rewrites
    limits: Limits
    counters: Counters
    log: Log | None = None
    clock: Callable[[], float] = time.monotonic


class Session:
    """The relay between a client that has logged in and its backend.

    ``over`` is called once, at the end; ``cancel`` where the source is to stop what it does.
    """

    def __init__(self, service: Service, login: Login, client: Link, backend: Backend) -> None:
        self.service, self.login, self.client, self.backend = service, login, client, backend
        self.limits, self.counters, self.clock = service.limits, service.counters, service.clock
        self.trail = Trail(service.log, login.user, client.peer) if service.log else None
        self.over: Callable[[], None] | None = None
        self.cancel: Callable[[], None] | None = None
        self.paths = Paths(login.path)
        self.mark = ("dbmask_" + secrets.token_hex(16)).encode()
        self.refusals: dict[int, Refused] = {}
        self.refused = 0
        self.open = 0  # answers to come: ReadyForQuery
        self.dirty = False  # messages since the last Sync
        self.status = b"I"
        self.asked = self.since = self.stuck = 0.0
        self.timed_out = False
        self._parts: list[bytes] = []
        self._have, self._need = 0, 5
        self._skip, self._tail = 0, b""

    def begin(self) -> None:
        """Start to relay."""
        self.asked = self.clock()
        self.backend.link.ended = self._source_gone
        self.client.ended = self.end
        self.client.paused = self._client_full
        self.backend.link.paused = self._source_full
        self.backend.link.relay(self.from_backend)
        self.client.relay(self.from_client)

    def end(self) -> None:
        """The session is over; the backend has been left in whatever state it is."""
        self.client.ended = self.client.paused = None
        if self.over is not None:
            over, self.over = self.over, None
            over()

    def fatal(self, state: str, message: str) -> None:
        """Tell the client why, and end."""
        if self.over is None:
            return
        self.counters.add("sessions_ended_total")
        self.client.write(error(state, message, "FATAL"))
        self.client.close()
        self.end()

    @property
    def busy(self) -> bool:
        """Whether the source has something to answer, or a transaction is open."""
        return self.open > 0 or self.dirty or self.status != b"I"

    @property
    def clean(self) -> bool:
        """Whether the backend could serve another client."""
        return not self.busy and not self._tail and not self._skip and not self._have

    def _source_gone(self) -> None:
        self.fatal("57P01", "the source has closed the connection")

    def _client_full(self, full: bool) -> None:
        self.stuck = self.clock() if full else 0.0
        _flow(self.backend.link, full)

    def _source_full(self, full: bool) -> None:
        _flow(self.client, full)

    def check(self, now: float) -> None:
        """Time-outs; called every second or so."""
        limits = self.limits
        if self.stuck and now - self.stuck > limits.stalled:
            self.counters.add("sessions_ended_total")
            self.client.abort()
            self.end()
        elif self.since and limits.statement and now - self.since > limits.statement and not self.timed_out:
            self.timed_out = True
            self.counters.add("statement_timeouts_total")
            if self.cancel is not None:
                self.cancel()
        elif limits.idle and not self.open and now - self.asked > limits.idle:
            self.fatal("57P05", "the connection was idle for too long")

    # From the client

    def from_client(self, chunk: bytes) -> None:
        """Take what the client sends."""
        if self._have:
            self._parts.append(chunk)
            self._have += len(chunk)
            if self._have < self._need:
                return
            chunk = b"".join(self._parts)
            self._parts.clear()
            self._have = 0
        try:
            rest = self._asks(chunk)
        except ProtocolError as end:
            self.fatal("08P01", str(end))
            return
        if rest:
            self._parts.append(rest)
            self._have = len(rest)

    def _asks(self, chunk: bytes) -> bytes:
        at = sent = 0
        size = len(chunk)
        out: list[bytes] = []
        while at + 5 <= size:
            length = _length(chunk, at + 1)[0]
            if not 4 <= length <= self.limits.message:
                raise ProtocolError("invalid message length")
            end = at + 1 + length
            if end > size:
                break
            kind = chunk[at]
            if kind == _SYNC:
                self.open += 1
                self.dirty = False
                if self.trail is not None:
                    self.trail.sync()
            elif kind in _PASSED or kind == _FLUSH:
                self.dirty = True
                if self.trail is not None:
                    _follow(self.trail, kind, chunk[at + 5 : end])
            elif kind == 88:  # X
                self.client.close()
                self.end()
                return b""
            else:
                out += (chunk[sent:at], self._asked(kind, chunk[at + 5 : end]))
                sent = end
            at = end
        self._need = 1 + _length(chunk, at + 1)[0] if at + 5 <= size else 5
        out.append(chunk[sent:at])
        self.backend.link.write(b"".join(out))
        self.asked = self.clock()
        if not self.since and (self.open or self.dirty):
            self.since = self.asked
        return chunk[at:]

    def _asked(self, kind: int, body: bytes) -> bytes:
        """The message that is sent on instead of one that holds a statement."""
        if kind == 81:  # Q
            query, _ = string(body, 0)
            self.open += 1
            self.dirty = False
            sql, done = self._rewritten(query)
            if self.trail is not None:
                self.trail.query(done)
            return frame(b"Q", sql + b"\0")
        if kind == 80:  # P
            name, at = string(body, 0)
            query, at = string(body, at)
            self.dirty = True
            sql, done = self._rewritten(query)
            if self.trail is not None:
                self.trail.parse(name, done)
            return frame(b"P", text(name) + sql + b"\0" + body[at:])
        if kind == 70:  # F
            self.open += 1
            if self.trail is not None:
                self.trail.query(None)
            return frame(
                b"Q", self._refuse(Refused("0A000", "function calls by the protocol are not supported")) + b"\0"
            )
        raise ProtocolError("this message is not expected")

    def _refuse(self, refusal: Refused) -> bytes:
        self.refused += 1
        self.refusals[self.refused] = refusal
        if len(self.refusals) > _MAX_REFUSALS:
            self.refusals.pop(min(self.refusals))
        self.counters.add("statements_refused_total")
        return self.mark + b"_%d" % self.refused

    def _rewritten(self, query: str) -> tuple[bytes, Rewritten | None]:
        try:
            done = self.service.rewrites.rewrite(query, self.paths.now, self.login.user, self.login.path)
        except Refused as refusal:
            if self.trail is not None:
                self.trail.refused(refusal, None)
            return self._refuse(refusal), None
        if done.moves:
            self.paths.take(done.moves, self.open + self.dirty)
        self.counters.add("statements_total")
        return done.sql.encode(), done

    # From the source

    def from_backend(self, chunk: bytes) -> None:
        """Take what the source sends: rows go on unread, whatever may quote a value is looked at."""
        if self._tail:
            chunk = self._tail + chunk
            self._tail = b""
        size = len(chunk)
        at = self._skip
        sent = 0
        out: list[bytes] = []
        while at + 5 <= size:
            while chunk[at] == _ROW and at + 5 <= size:
                at += 1 + _length(chunk, at + 1)[0]
                if at >= size:
                    break
            if at + 5 > size:
                break
            kind = chunk[at]
            end = at + 1 + _length(chunk, at + 1)[0]
            if kind not in _READ:
                at = end
                continue
            if end > size:
                break
            if kind == 67:  # C
                self._completed(chunk[at + 5 : end])
            elif kind == 90:  # Z
                self._ready(chunk[at + 5 : end])
            else:
                out += (chunk[sent:at], self._said(kind, chunk[at:end]))
                sent = end
            at = end
        if at >= size:
            self._skip = at - size
            rest = chunk[sent:]
        else:
            self._skip, self._tail = 0, chunk[at:]
            rest = chunk[sent:at]
        if out:
            out.append(rest)
            rest = b"".join(out)
        if rest:
            self.client.write(rest)

    def _completed(self, tag: bytes) -> None:
        self.paths.completed(tag)
        count = tag[:-1].rpartition(b" ")[2]
        rows = int(count) if count.isdigit() else 0
        self.counters.add("rows_total", rows)
        if self.trail is not None:
            self.trail.completed(rows)

    def _ready(self, status: bytes) -> None:
        self.open -= 1
        self.status = status
        self.paths.ready(status)
        if self.since:
            now = self.clock()
            self.counters.took(now - self.since)
            self.since, self.timed_out = (now if self.open or self.dirty else 0.0), False
        if self.trail is not None:
            self.trail.ready()

    def _said(self, kind: int, message: bytes) -> bytes:
        """What the client gets instead of an error, notice, notification, setting, description or request for COPY data."""
        body = message[5:]
        if kind == 83:  # S
            return b"" if body.startswith(_UNTOLD) else message
        if kind == 84:  # T
            return frame(b"T", described(body, self.service.rewrites.catalog))
        if kind not in b"EN":
            return b""
        if kind == 69:
            self.paths.failed()
        _, found, rest = body.partition(self.mark + b"_")
        number = rest.partition(b'"')[0]
        if found and number.isdigit():
            refusal = self.refusals.pop(int(number), None) or Refused("42501", "this is not allowed")
            return error(refusal.state, str(refusal))
        if kind == 69:  # E
            state = fields(body).get(b"C", b"XX000").decode("ascii", "replace")
            self.counters.add("statement_errors_total")
            if self.trail is not None:
                self.trail.failed(state)
        return cleaned(bytes((kind,)), body)


def _flow(link: Link, full: bool) -> None:
    """Stop or go on reading from one side because the other is full, or no longer so."""
    if link.lost or link.transport.is_closing():
        return
    if full:
        link.transport.pause_reading()
    else:
        link.transport.resume_reading()


def _follow(trail: Trail, kind: int, body: bytes) -> None:
    """Tell the audit log which statement an Execute will run."""
    if kind == 66:  # B
        portal, at = string(body, 0)
        trail.bind(portal, string(body, at)[0])
    elif kind == 69:  # E
        trail.execute(string(body, 0)[0])
    elif kind == 67 and body:  # C
        trail.closed(chr(body[0]), string(body, 1)[0])
