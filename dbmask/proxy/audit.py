"""Who read what, as JSON lines: never a literal, never a statement's text."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dbmask.proxy.rewrite import Refused, Rewritten

__all__ = ["Log", "Trail"]


@dataclass
class Log:
    """Where lines go; ``write`` takes whole lines."""

    write: Callable[[str], object]

    def line(self, **what: object) -> None:
        """One line, with the time in UTC."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.write(json.dumps({"time": when, **what}, ensure_ascii=True) + "\n")


@dataclass
class _Run:
    """A statement on its way: of a simple query, an Execute, or (``what`` is None) what ends a pipeline."""

    what: Rewritten | None
    whole: bool
    rows: int = 0
    state: str | None = None


@dataclass
class Trail:
    """One session's statements, in the order in which the source will answer them."""

    log: Log
    user: str
    client: str
    _runs: deque[_Run] = field(default_factory=deque)
    _statements: dict[str, Rewritten] = field(default_factory=dict)
    _portals: dict[str, Rewritten | None] = field(default_factory=dict)

    def login(self, accepted: bool) -> None:
        """A client has logged in, or has failed to."""
        self.log.line(user=self.user, client=self.client, login=accepted)

    def refused(self, refusal: Refused, fingerprint: str | None) -> None:
        """A statement that is not sent on."""
        self.log.line(
            user=self.user, client=self.client, fingerprint=fingerprint, state=refusal.state, refused=str(refusal)
        )

    def query(self, what: Rewritten | None) -> None:
        """A simple query; None where it was refused."""
        self._runs.append(_Run(what, True))

    def parse(self, name: str, what: Rewritten | None) -> None:
        """A prepared statement."""
        self._statements.pop(name, None)
        if what is not None:
            self._statements[name] = what

    def bind(self, portal: str, name: str) -> None:
        """A portal of a prepared statement."""
        self._portals[portal] = self._statements.get(name)

    def execute(self, portal: str) -> None:
        """An Execute."""
        self._runs.append(_Run(self._portals.get(portal), False))

    def sync(self) -> None:
        """A Sync."""
        self._runs.append(_Run(None, True))

    def closed(self, kind: str, name: str) -> None:
        """A Close of a statement (S) or portal (P)."""
        (self._statements if kind == "S" else self._portals).pop(name, None)

    def completed(self, rows: int) -> None:
        """The source has completed a statement, or a part of a portal."""
        if self._runs:
            self._runs[0].rows += rows
            if not self._runs[0].whole:
                self._write(self._runs.popleft())

    def failed(self, state: str) -> None:
        """The source has reported an error; it leaves out what follows up to the Sync."""
        if self._runs:
            self._runs[0].state = state
            if not self._runs[0].whole:
                self._write(self._runs.popleft())

    def ready(self) -> None:
        """The source is ready: what was not run before the Sync never will be."""
        while self._runs:
            run = self._runs.popleft()
            if run.whole:
                self._write(run)
                return

    def _write(self, run: _Run) -> None:
        if run.what is not None:
            self.log.line(
                user=self.user,
                client=self.client,
                tables=sorted(set(run.what.tables)),
                masked=run.what.masked,
                fingerprint=run.what.fingerprint,
                rows=run.rows,
                state=run.state,
                refused=None,
            )
