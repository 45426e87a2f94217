"""A replica brought up to date in one transaction: what changed since the last run's baseline, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dbmask.cloner.certificate import Check
from dbmask.cloner.copying import TableJob
from dbmask.cloner.progress import Reporter
from dbmask.cloner.resume import locked
from dbmask.errors import CheckFailed, ConnectorError, UsageError
from dbmask.keys import KeyRing
from dbmask.planner import Plan, pads_for
from dbmask.policy.jobs import Job
from dbmask.refresher.baseline import Baseline, columns_of, load, save
from dbmask.refresher.bring import Brought, Ends, bring
from dbmask.refresher.ways import Way, leaves_gone, way_of
from dbmask.schema import TableName
from dbmask.spi import (
    ComparableSource,
    Reader,
    RefreshableTarget,
    Refreshing,
    SharedSource,
    Source,
    Structure,
    SumsBeyond,
    SwapsTables,
    Target,
    Written,
)
from dbmask.state.seal import Sealer
from dbmask.state.store import State

__all__ = ["Anew", "Bringing", "Incremental", "baseline_of", "comparable", "counted", "why_not"]


class Anew(ConnectorError):
    """What is there cannot be brought up to date: the replica has to be built anew, for the reason that this says."""


@dataclass
class Bringing:
    """A run that brings a replica up to date: both ends, what the last run knew, what the next one will."""

    job: Job
    name: str
    plan: Plan
    keys: KeyRing
    source: Source
    target: Target
    structure: Structure
    jobs: Mapping[TableName, TableJob]
    last: Baseline
    fresh: Baseline
    state: State
    sealer: Sealer
    show: Reporter
    brought: dict[TableName, Brought] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    position: str = ""

    def same_form(self, reshaped: bool) -> None:
        """Raise where the replica's tables are ``reshaped``: CheckFailed where the job forbids others' changes, else Anew."""
        if reshaped:
            said = "somebody else changed the structure of the replica's tables"
            raise CheckFailed(said) if self.job.on_local_change == "fail" else Anew(said)

    def allowed(self, touched: Mapping[TableName, str]) -> None:
        """Raise CheckFailed where others wrote to tables and the job forbids it."""
        if touched and self.job.on_local_change == "fail":
            said = "\n".join(f"{n}: {why}" for n, why in touched.items())
            raise CheckFailed(f"the replica was changed by others:\n{said}")

    def for_all(self) -> dict[TableName, str]:
        """Every table with the reason for which all of its rows are masked anew; empty where there is none."""
        if self.last.keys != self.fresh.keys:
            return dict.fromkeys(self.jobs, "the masking key or the epoch has changed")
        if self.last.version != self.fresh.version:
            return dict.fromkeys(self.jobs, f"the last run was of dbmask {self.last.version}")
        return {}


class Incremental(Bringing):
    """One such run, in one transaction on the target."""

    def run(self) -> dict[TableName, Brought]:
        """Bring the replica up to date. Raises ConnectorError, MaskError and CheckFailed, with all as it was."""
        source, target = self.source, self.target
        assert isinstance(source, SharedSource) and isinstance(source, ComparableSource)  # noqa: S101 - why_not has asked
        assert isinstance(target, RefreshableTarget)  # noqa: S101
        tables = [job.target for job in self.jobs.values()]
        with target.refreshing(tables) as change, source.snapshot() as reader:
            self.show.phase("compare")
            self.position = reader.position
            locked(source, reader, self.jobs)  # nobody may truncate or rewrite what is to be read
            special = self._special(change)
            reader.use_keys(pads_for((j.reading.query for j in self.jobs.values()), self.keys))
            self._bring(source, reader, change, special)
            changed = {n: b.way.key for n, b in self.brought.items() if b.changed}
            counts = change.exchange(self.structure, changed, self.show.phase)
            self._check(counts)
            self._note(source, reader, change)
        return self.brought

    def _special(self, change: Refreshing) -> dict[TableName, str]:
        """Tables that are written anew whatever changed in the source, and why. Raises CheckFailed where the job forbids it."""
        since = Written(self.last.written, {n: f.rows for n, f in self.last.tables.items()})
        self.same_form(change.reshaped(since))
        touched = change.touched(since)
        self.allowed(touched)
        return self.for_all() or dict(touched)

    def _bring(self, source: Source, reader: Reader, change: Refreshing, special: Mapping[TableName, str]) -> None:
        assert isinstance(source, ComparableSource)  # noqa: S101
        since = self.last.moment if source.still(reader, self.last.moment) else ""
        ends = Ends(source, source, reader, change, self.sealer, since, self.show.advance)
        for name, job in self.jobs.items():
            known = self.last.tables.get(name)
            way = self._way(job, special.get(name, ""))
            self.show.table(str(name), None)
            self.brought[name] = bring(ends, job, way, known)
            self.show.done(self.brought[name].read)

    def _way(self, job: TableJob, special: str) -> Way:
        known, secretly = self.last.tables.get(job.plan.name), self.source.capabilities.keys_in_session
        return way_of(self.job, job, self.plan.schema.default_schema, known, special, secretly)

    def _check(self, counts: Mapping[TableName, int]) -> None:
        self.checks += [counted(name, self.brought[name], rows) for name, rows in counts.items()]
        wrong = [(c.subject, c.found) for c in self.checks if not c.passed]
        if wrong:
            said = "\n".join(map(": ".join, wrong))
            raise CheckFailed(f"the refreshed replica does not have the rows that it should:\n{said}", wrong)

    def _note(self, source: Source, reader: Reader, change: Refreshing) -> None:
        """The new baseline is stored first; it counts from the moment that the transaction is committed."""
        assert isinstance(source, ComparableSource)  # noqa: S101
        self.fresh.moment = source.moment(reader)
        self.fresh.written = change.note(self.fresh.token)
        self.fresh.tables = {n: b.facts for n, b in self.brought.items()}
        save(self.state, self.sealer, self.name, self.fresh)


def counted(name: TableName, brought: Brought, rows: int) -> Check:
    """Whether a table has the rows that it should; where rows stay that the source does not have, this says so."""
    expected = brought.facts.rows
    stay = leaves_gone(brought.way)
    figures = {"replica": rows} if stay else {"source": expected, "replica": rows}
    if rows != expected:
        found = f"{rows:,} rows, expected {expected:,}"
    else:
        found = f"{rows:,} rows" + (
            ", with those that the source does not have any more (`deletes: none`)" if stay else ""
        )
    return Check("rows", str(name), rows == expected, found, figures)


def baseline_of(plan: Plan, keys: KeyRing, structure: str, source: Source, target: str, version: str) -> Baseline:
    """A baseline without tables."""
    return Baseline(
        structure,
        f"{keys.fingerprint()} {keys.epoch}",
        version,
        source.identity(),
        target,
        "",
        "",
        columns_of(plan.schema),
    )


def comparable(source: Source, target: Target) -> bool:
    """Whether what changed can be told, and brought into a replica that is there."""
    rows = isinstance(source, ComparableSource) and isinstance(target, RefreshableTarget)
    return rows or (isinstance(source, SumsBeyond) and isinstance(target, SwapsTables))


def why_not(source: Source, target: Target, state: State, sealer: Sealer, job: str) -> tuple[str, Baseline | None]:
    """Why a replica has to be built anew, as far as plan and structure are not asked; else the last run's baseline."""
    here, there = source.capabilities.dialect, target.capabilities.dialect
    if here != there or not comparable(source, target):
        return f"{here} to {there} is refreshed by a clone of its own", None
    assert isinstance(target, RefreshableTarget | SwapsTables)  # noqa: S101 - comparable has asked
    token = target.noted()
    try:
        last = load(state, sealer, job, token) if token else None
    except UsageError:
        return "the masking key has changed, and every row of every table is masked anew", None
    if last is None:
        return (
            "the first run of this job into this replica" if not token else "nothing is known of its last run"
        ), None
    if last.target != target.identity():
        return "the replica was moved or restored since", last
    return "", last
