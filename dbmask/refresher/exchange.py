"""A replica brought up to date table by table: those that changed are built beside it, and swapped in one step."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from dbmask.cloner.copying import TableJob, copy_table
from dbmask.cloner.sums import is_own, keyed_sum, read_columns
from dbmask.cloner.verify import verify_rows, verify_shares
from dbmask.errors import CheckFailed
from dbmask.planner import pads_for
from dbmask.refresher.baseline import Baseline, Facts, key_of, save, table_digest
from dbmask.refresher.bring import Brought
from dbmask.refresher.incremental import Anew, Bringing
from dbmask.refresher.ways import Way
from dbmask.schema import TableName
from dbmask.spi import Reader, Span, SummedSource, SwapsTables, Written
from dbmask.state.seal import Sealer

__all__ = ["Exchange", "facts_of"]


def facts_of(source: SummedSource, reader: Reader, job: TableJob, sealer: Sealer, rows: int) -> Facts:
    """What the next run knows a table by: the checksum of its raw rows. Raises ConnectorError."""
    part = source.span_sum(reader, Span(job.plan.name), read_columns(job))
    return Facts(table_digest(job), rows, [], [(part.rows, keyed_sum(part, sealer))])


@dataclass
class Exchange(Bringing):
    """One such run. ``counts`` is the baseline that speaks of the replica afterwards: the last one where nothing changed."""

    _stale: dict[TableName, str] = field(default_factory=dict)

    @property
    def counts(self) -> Baseline:
        """The baseline that the next run compares with."""
        return self.fresh if self._stale else self.last

    def run(self) -> dict[TableName, Brought]:
        """Bring the replica up to date. Raises ConnectorError, MaskError and CheckFailed, with all as it was."""
        source, target = self.source, self.target
        assert isinstance(source, SummedSource) and isinstance(target, SwapsTables)  # noqa: S101 - comparable has asked
        why = target.why_whole(self.structure)
        if why:
            raise Anew(why)
        target.begin()
        try:
            self._stale = self._special(target)
            with source.snapshot() as reader:
                self.show.phase("compare")
                reader.use_keys(pads_for((j.reading.query for j in self.jobs.values()), self.keys))
                for job in self.jobs.values():
                    self._compare(source, reader, job)
                if self._stale:
                    self._build(target, reader)
            if self._stale:
                self._exchange(target)
        finally:
            target.abort()
        return self.brought

    def _special(self, target: SwapsTables) -> dict[TableName, str]:
        """Tables that are built anew whatever changed in the source, and why. Raises CheckFailed where the job forbids it."""
        since = Written(self.last.written, {t.name: 0 for t in self.structure.tables})
        if target.reshaped(since):
            said = "somebody else changed the structure of the replica's tables"
            raise CheckFailed(said) if self.job.on_local_change == "fail" else Anew(said)
        touched = target.touched(since)
        if touched and self.job.on_local_change == "fail":
            said = "\n".join(f"{n}: {why}" for n, why in touched.items())
            raise CheckFailed(f"the replica was changed by others:\n{said}")
        if self.last.keys != self.fresh.keys:
            return dict.fromkeys(self.jobs, "the masking key or the epoch has changed")
        if self.last.version != self.fresh.version:
            return dict.fromkeys(self.jobs, f"the last run was of dbmask {self.last.version}")
        return dict(touched)

    def _compare(self, source: SummedSource, reader: Reader, job: TableJob) -> None:
        """Say of one table whether it is built anew, by the snapshot that its rows would be read from."""
        name, began = job.plan.name, time.monotonic()
        known = self.last.tables.get(name)
        facts = facts_of(source, reader, job, self.sealer, known.rows if known else 0)
        rule = self.job.rule(name, self.plan.schema.default_schema)
        why = self._stale.get(name, "")
        if not why and known is None:
            why = "nothing is known of its last run"
        elif not why and known is not None:
            why = _why_stale(job, known, facts, rule.mode if rule else "")
        if why:
            self._stale[name] = why
        way = Way("full" if why else "diff", why or "its checksum is as it was", key_of(job))
        self.brought[name] = Brought(way, facts, parts=1, reused=0 if why else 1, seconds=time.monotonic() - began)

    def _build(self, target: SwapsTables, reader: Reader) -> None:
        """All tables empty, rows of those that are built anew, what follows rows, and the checks of a clone."""
        self.show.phase("rows")
        target.create(self.structure)
        for name in self._stale:
            job, began = self.jobs.get(name), time.monotonic()
            if job is None:
                continue  # it is to be empty
            self.show.table(str(name), job.plan.table.rows)
            made = self.brought[name]
            made.read, _ = copy_table(self.source, target, reader, job, self.show.advance)
            made.written = made.facts.rows = made.read
            made.seconds += time.monotonic() - began
            self.show.done(made.read)
        target.finish(self.structure, self.show.phase)
        self.show.phase("verify")
        self._verify(target, reader)

    def _verify(self, target: SwapsTables, reader: Reader) -> None:
        rows = {n: b.read for n, b in self.brought.items() if n in self._stale}
        plans = [self.jobs[n].plan for n in rows]
        dialects = self.source.capabilities.dialect, target.capabilities.dialect
        with target.reader() as replica:
            checks = verify_rows(plans, rows, reader, replica, dialects[0])
            checks += verify_shares(plans, rows, reader, replica, dialects, self.keys)[0]
        wrong = [f"{c.subject}: {c.found}" for c in checks if not c.passed]
        broken = target.broken(self.structure, self._stale)
        wrong += [f"{key}: {count} rows refer to nothing" for key, count in broken.items() if count]
        if wrong:
            raise CheckFailed("verification failed:\n" + "\n".join(wrong))

    def _exchange(self, target: SwapsTables) -> None:
        """The new baseline is stored first; it counts from the moment that its token is swapped in with the tables."""
        self.fresh.written = target.note(self.fresh.token, self.last.written, self._stale)
        self.fresh.tables = {n: b.facts for n, b in self.brought.items()}
        save(self.state, self.sealer, self.name, self.fresh)
        target.narrow(self.structure, self._stale)
        self.show.phase("publish")
        target.publish()


def _why_stale(job: TableJob, known: Facts, facts: Facts, mode: str) -> str:
    if known.digest != facts.digest:
        return "its masks have changed"
    if not is_own(job):
        return "its masked rows follow from more than their own row"
    if mode == "full":
        return "the job says so"
    return "" if known.parts == facts.parts else "its rows have changed"
