"""``dbmask apply``: masking a database that is already a copy, in its place.

Where the database can, its tables are rewritten in one transaction (PostgreSQL). Elsewhere the masked database is built
beside it and takes its place, as a clone of itself that keeps nothing of what it replaced.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dbmask.cloner import certificate as cert
from dbmask.cloner.book import place_of
from dbmask.cloner.constraints import validated
from dbmask.cloner.copying import TableJob
from dbmask.cloner.progress import Quiet, Reporter
from dbmask.cloner.residue import allowed_residue, search
from dbmask.cloner.run import CloneResult, clone
from dbmask.cloner.signing import SigningKey
from dbmask.cloner.subset import Choice
from dbmask.cloner.verify import verify_rows, verify_shares
from dbmask.engine import fresh_reports, masked_batches, seldom_collected
from dbmask.errors import CheckFailed, PlanError, UsageError
from dbmask.keys import KeyRing
from dbmask.planner import (
    Plan,
    Profile,
    RunsIn,
    TablePlan,
    check_literals,
    pads_for,
    plan_source,
    reading,
    target_tables,
)
from dbmask.policy.model import Policy, TableMode
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import Capabilities, Rewritable, Rewriting, Source
from dbmask.state import State

__all__ = ["apply"]


@dataclass
class _Run:
    policy: Policy
    plan: Plan
    keys: KeyRing
    show: Reporter
    source: Source
    rows: dict[TableName, int] = field(default_factory=dict)
    seconds: dict[TableName, float] = field(default_factory=dict)
    found: dict[TableName, dict[str, Any]] = field(default_factory=dict)
    checks: list[cert.Check] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)
    left_out: tuple[str, ...] = ()
    literals: list[str] = field(default_factory=list)
    position: str = ""

    @property
    def capabilities(self) -> Capabilities:
        """The database's."""
        return self.source.capabilities


@seldom_collected()
def apply(
    policy: Policy,
    target: str,
    database: str,
    *,
    certificate: str | Path | None = None,
    sign_with: str | Path | None = None,
    keys: KeyRing | None = None,
    show: Reporter | None = None,
    state: str | None = None,
) -> CloneResult:
    """Mask the database at ``target`` (a URL) in its place; all of it, or nothing.

    ``database`` is its name once more (a file's name without its folder): what stood there is gone afterwards. Raises
    UsageError where the names differ and where runs or jobs read from this database as their source, PlanError with
    every problem before anything is written, ConnectorError, MaskError and CheckFailed with all as it was.
    """
    began = cert.now()
    path, signer = cert.place_of(certificate), SigningKey.load(Path(sign_with)) if sign_with else None
    ring = policy.keyring() if keys is None else keys
    _require_name(target, database)
    with closing(connector_for(target).source(target)) as opened:
        _require_copy(opened, target, policy, state)
        if not isinstance(opened, Rewritable):
            opened.close()
            return clone(
                policy,
                target,
                target,
                certificate=certificate,
                sign_with=sign_with,
                keep_previous=0,
                keys=ring,
                show=show,
                in_place=True,
            )
        plan = plan_source(policy, opened, Profile.CLONE, ring).require()
        run = _Run(policy, plan, ring, show or Quiet(), opened)
        try:
            with run.show:
                _rewrite(run, opened)
        except CheckFailed as error:
            raise cert.failed(error, cert.of_run(run, began, opened.identity(), "apply"), path, signer) from None
        done = cert.of_run(run, began, opened.identity(), "apply")
    if path is not None:
        cert.write_certificate(done, path, signer)
    return CloneResult(plan, run.rows, run.seconds, done, path)


# -- what is refused ----------------------------------------------------------------------------------------------


def _require_name(target: str, database: str) -> None:
    """The name must be typed: what is masked in its place cannot be had back."""
    name = unquote(urlsplit(target).path).rpartition("/")[2]
    if database != name:
        raise UsageError(f"--database {database} is not the name of the database that the URL leads to")


def _require_copy(source: Source, target: str, policy: Policy, state: str | None) -> None:
    """Refuse a database that runs of the past, or jobs of the policy, have for their source."""
    jobs = policy.sections.get("jobs")
    named = [j.get("source") for j in jobs.values() if isinstance(j, dict)] if isinstance(jobs, dict) else []
    known = place_of(target) in {place_of(url) for url in named if isinstance(url, str)}
    if not known and state is not None:
        identity = source.identity()
        with State(state) as opened:
            known = any(run.source == identity for run in opened.runs())
    if known:
        raise UsageError(
            "this database is known as a source, and masking it in its place would destroy what replicas are made of; "
            "apply is for a database that is already a copy"
        )


# -- rewriting ----------------------------------------------------------------------------------------------------


def _changed(plan: TablePlan) -> bool:
    """Whether a table's rows or columns are other ones afterwards."""
    if plan.mode in (TableMode.EMPTY, TableMode.SKIP) or plan.filter or plan.picked is not None:
        return True
    known = {c.name for c in plan.table.columns}
    added = any(c.column.name not in known for c in plan.columns)
    return bool(plan.dropped) or added or any(c.masked and c.runs_in is not RunsIn.NOWHERE for c in plan.columns)


def _rewrite(run: _Run, source: Rewritable) -> None:
    choice = Choice.of(run.policy, run.plan, None, None)
    tables = {t.name: t for t in target_tables(run.plan)}
    structure = run.source.structure(run.plan.schema, list(tables.values()))
    problems, run.literals = check_literals(run.plan, structure, run.source, run.policy)
    if problems:
        raise PlanError(problems)
    # A subset may take rows from any table; otherwise what nobody masks stays untouched.
    names = [n for n in tables if choice.needed or _changed(run.plan.tables[n])]
    skipped = [t.name for t in run.plan if t.mode is TableMode.SKIP]
    with source.rewriting(run.plan.schema, [*names, *skipped]) as at:
        plans = [run.plan.tables[n] for n in names if run.plan.tables[n].writes and tables[n].rows]
        dialect = run.capabilities.dialect
        chosen = choice.picked(plans, run.plan.schema, at.reader, dialect, run.keys)
        plans = [p for p in chosen.values() if _changed(p)]
        run.show.phase("rows")
        _stage(run, at, [TableJob(p, reading(p, dialect), tables[p.name]) for p in plans])
        run.position = at.reader.position
        run.show.phase("verify")
        _verify(run, at, plans, [chosen.get(n, run.plan.tables[n]) for n in tables if tables[n].rows])
        going = [tables[n] for n in names if not tables[n].rows or n in run.rows]
        run.left_out = (*at.exchange(structure, going, skipped, run.show.phase), *choice.left_out(plans))
        checks, unseen = validated(plans, structure, dialect)
        run.checks += checks
        run.not_looked_at += unseen
        _check_keys(run, at.check_foreign_keys(structure))


def _stage(run: _Run, at: Rewriting, jobs: Sequence[TableJob]) -> None:
    """Masked rows, beside the tables: by SQL in the transaction itself, by Python through a session that reads."""
    at.reader.use_keys(pads_for((j.reading.query for j in jobs), run.keys))
    left = [j for j in jobs if not j.plan.pushed_down]
    for job in jobs:
        if job.plan.pushed_down:
            with _timed(run, job.plan):
                run.rows[job.plan.name] = at.relay(job.target, job.reading.query)
    for job in left:
        # A picked row is known to the transaction alone: such a table is read there, and its rows are gathered.
        with _timed(run, job.plan):
            run.rows[job.plan.name] = _through_python(run, at, job)


def _through_python(run: _Run, at: Rewriting, job: TableJob) -> int:
    reports = fresh_reports(job.plan)
    rows = 0
    if job.plan.picked is not None:
        raise UsageError(
            f"{job.plan.name}: a subset with masks that run in Python cannot be made in place; clone the database instead"
        )
    with at.raw() as raw:
        raw.use_keys(pads_for([job.reading.query], run.keys))
        with at.sink(job.target) as sink:
            for batch in masked_batches(raw, job.reading):
                sink.write(batch)
                count = len(batch[0]) if batch else 0
                rows += count
                run.show.advance(count)
    run.found[job.plan.name] = {column: report.as_dict() for column, report in reports.items()}
    return rows


class _timed:
    """A table's time, and its lines in what is shown."""

    def __init__(self, run: _Run, plan: TablePlan) -> None:
        self.run, self.plan = run, plan
        self.began = time.monotonic()

    def __enter__(self) -> None:
        self.run.show.table(str(self.plan.name), self.plan.table.rows)

    def __exit__(self, *error: object) -> None:
        self.run.seconds[self.plan.name] = time.monotonic() - self.began
        if error[0] is None:
            self.run.show.done(self.run.rows[self.plan.name])


def _verify(run: _Run, at: Rewriting, plans: Sequence[TablePlan], every: Sequence[TablePlan]) -> None:
    """What a clone verifies, between rows as they were and masked ones; old values are looked for in ``every`` table."""
    dialects = (run.capabilities.dialect, run.capabilities.dialect)
    run.checks += verify_rows(plans, run.rows, at.reader, at.masked, dialects[0])
    checks, unseen = verify_shares(plans, run.rows, at.reader, at.masked, dialects, run.keys)
    run.checks += checks
    run.not_looked_at += unseen
    # What the database computes is not there yet.
    made = {p.name: [c.column.name for c in p.columns if c.runs_in is RunsIn.DATABASE] for p in plans}
    every = [
        replace(p, columns=tuple(c for c in p.columns if c.column.name not in made.get(p.name, ()))) for p in every
    ]
    run.not_looked_at += [f"{n}.{c}: the database computes it from masked values" for n, cs in made.items() for c in cs]
    sizes = {p.name: run.rows.get(p.name, p.table.rows or 0) for p in every}
    checks, unseen = search(every, sizes, at.reader, at.masked, dialects, allowed_residue(run.policy))
    run.checks += checks
    run.not_looked_at += unseen
    _require(run)


def _check_keys(run: _Run, broken: Mapping[str, int]) -> None:
    for name, count in broken.items():
        found = f"{count} rows refer to nothing" if count else "every row refers to one that is there"
        run.checks.append(cert.Check("foreign key", name, count == 0, found, {"broken": count}))
    _require(run)


def _require(run: _Run) -> None:
    failed = [c for c in run.checks if not c.passed]
    if failed:
        raise CheckFailed("verification failed:\n" + "\n".join(f"{c.subject}: {c.found}" for c in failed))
