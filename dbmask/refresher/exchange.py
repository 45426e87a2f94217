"""A replica brought up to date table by table: those that changed are built beside it, and swapped in one step."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dbmask.cloner.certificate import Check
from dbmask.cloner.copying import TableJob
from dbmask.cloner.verify import count_rows, verify_rows, verify_shares
from dbmask.errors import CheckFailed
from dbmask.planner import pads_for
from dbmask.policy.jobs import Job
from dbmask.refresher.baseline import Baseline, Facts, save
from dbmask.refresher.bring import Brought
from dbmask.refresher.incremental import Anew, Bringing, counted
from dbmask.refresher.rebuild import Built, Looked, build, look, measure
from dbmask.refresher.ways import leaves_gone, swap_way, usual_way
from dbmask.schema import TableName
from dbmask.spi import Reader, Serving, Source, SumsBeyond, SwapsTables, Written
from dbmask.state.seal import Sealer

__all__ = ["Exchange", "facts_of"]


def facts_of(
    source: Source, reader: Reader, table: TableJob, sealer: Sealer, job: Job, default: str, rows: int
) -> Facts:
    """What the next run knows a table of so many rows by. Raises ConnectorError."""
    assert isinstance(source, SumsBeyond)  # noqa: S101 - comparable has asked
    usual = usual_way(job, table, default, source.capabilities.keys_in_session)
    return measure(Looked(source, source, reader, sealer), table, usual, rows)


@dataclass
class Exchange(Bringing):
    """One such run. ``counts`` is the baseline that speaks of the replica afterwards: the last one where nothing changed."""

    _stale: dict[TableName, str] = field(default_factory=dict)
    _built: dict[TableName, Built] = field(default_factory=dict)

    @property
    def counts(self) -> Baseline:
        """The baseline that the next run compares with."""
        return self.fresh if self._stale else self.last

    def run(self) -> dict[TableName, Brought]:
        """Bring the replica up to date. Raises ConnectorError, MaskError and CheckFailed, with all as it was."""
        source, target = self.source, self.target
        assert isinstance(source, SumsBeyond) and isinstance(target, SwapsTables)  # noqa: S101 - comparable has asked
        why = target.why_whole(self.structure)
        if why:
            raise Anew(why)
        target.begin()
        try:
            with source.snapshot() as reader, target.serving() as serving:
                self.show.phase("compare")
                self.position = reader.position
                reader.use_keys(pads_for((j.reading.query for j in self.jobs.values()), self.keys))
                looked = Looked(source, source, reader, self.sealer)
                self._look(looked, target)
                if self._stale:
                    self._build(looked, target, serving)
            if self._stale:
                self._exchange(target)
        finally:
            target.abort()
        return self.brought

    def _look(self, looked: Looked, target: SwapsTables) -> None:
        """Find what is to be built anew: by both ends' rows, which both compute at once. Raises CheckFailed where the job forbids it."""
        since = Written(self.last.written, {t.name: 0 for t in self.structure.tables})
        self.same_form(target.reshaped(since))
        special = self.for_all()
        self._stale = dict(special)
        with ThreadPoolExecutor(1) as pool:
            touching = pool.submit(target.touched, since)
            try:
                for job in self.jobs.values():
                    self._compare(looked, job)
                touched = touching.result()
            except BaseException:
                target.abort()  # what the replica's server still computes ends
                raise
        self.allowed(touched)
        for name, why in touched.items():
            if name in special:
                continue
            self._stale[name] = why
            if name in self.jobs:
                self._compare(looked, self.jobs[name])

    def _compare(self, looked: Looked, job: TableJob) -> None:
        """Say of one table whether it is built anew, and of what, by the snapshot that its rows would be read from."""
        name, began, default = job.plan.name, time.monotonic(), self.plan.schema.default_schema
        known, secretly = self.last.tables.get(name), looked.source.capabilities.keys_in_session
        way = swap_way(self.job, job, default, known, self._stale.get(name, ""), secretly)
        made = look(looked, job, way, usual_way(self.job, job, default, secretly), known)
        if made.stale:
            self._stale.setdefault(name, way.why)
        made.seconds = time.monotonic() - began
        self._built[name] = self.brought[name] = made

    def _build(self, looked: Looked, target: SwapsTables, serving: Serving) -> None:
        """All tables empty, rows of those that are built anew, what follows rows, and the checks of a clone."""
        self.show.phase("rows")
        target.create(self.structure)
        for name in self._stale:
            job, began = self.jobs.get(name), time.monotonic()
            if job is None:
                continue  # it is to be empty
            self.show.table(str(name), job.plan.table.rows)
            made = self._built[name]
            known = self.last.tables.get(name)
            build(looked, target, serving, job, made, known.rows if known else 0, self.show.advance)
            made.seconds += time.monotonic() - began
            self.show.done(made.read)
        target.finish(self.structure, self.show.phase)
        self.show.phase("verify")
        self._verify(target, looked.reader)

    def _verify(self, target: SwapsTables, reader: Reader) -> None:
        rows = {n: b.facts.rows for n, b in self._built.items() if b.stale}
        plans = [self.jobs[n].plan for n in rows]
        kept = [n for n in rows if leaves_gone(self._built[n].way)]
        dialects = self.source.capabilities.dialect, target.capabilities.dialect
        with target.reader() as replica:
            checks = verify_rows([p for p in plans if p.name not in kept], rows, reader, replica, dialects[0])
            checks += [counted(n, self._built[n], count_rows(replica, self.jobs[n].plan.table)) for n in kept]
            shares, self.unseen = verify_shares(plans, rows, reader, replica, dialects, self.keys)
        checks += shares
        for key, count in target.broken(self.structure, self._stale).items():
            found = f"{count} rows refer to nothing" if count else "every row refers to one that is there"
            checks.append(Check("foreign key", key, count == 0, found, {"broken": count}))
        self.checks += checks
        wrong = [(c.subject, c.found) for c in checks if not c.passed]
        if wrong:
            raise CheckFailed("verification failed:\n" + "\n".join(map(": ".join, wrong)), wrong)

    def _exchange(self, target: SwapsTables) -> None:
        """The new baseline is stored first; it counts from the moment that its token is swapped in with the tables."""
        self.fresh.written = target.note(self.fresh.token, self.last.written, self._stale)
        self.fresh.tables = {n: b.facts for n, b in self._built.items()}
        save(self.state, self.sealer, self.name, self.fresh)
        target.narrow(self.structure, self._stale)
        self.show.phase("publish")
        target.publish()
