"""One clone from plan to published replica: all of it, or nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbmask.cloner import certificate as cert
from dbmask.cloner.order import foreign_key_order
from dbmask.cloner.previous import keep_replaced
from dbmask.cloner.progress import Quiet, Reporter
from dbmask.cloner.residue import allowed_residue, search
from dbmask.cloner.signing import SigningKey
from dbmask.cloner.verify import verify_rows, verify_shares
from dbmask.engine import masked_batches
from dbmask.errors import CheckFailed, PlanError
from dbmask.keys import KeyRing
from dbmask.planner import (
    Plan,
    Profile,
    Reading,
    TablePlan,
    check_literals,
    check_target,
    pads_for,
    plan_source,
    reading,
    target_tables,
)
from dbmask.policy.lock import Lock
from dbmask.policy.match import kept_columns, resolve
from dbmask.policy.model import Policy, TableMode
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import Reader, Source, Structure, Target, TargetTable

__all__ = ["CloneResult", "clone"]


@dataclass(frozen=True)
class CloneResult:
    """What a clone did: its plan, rows and seconds per table, and the certificate."""

    plan: Plan
    rows: Mapping[TableName, int]
    seconds: Mapping[TableName, float]
    certificate: cert.Certificate
    certificate_path: Path | None = None


@dataclass
class _Run:
    """The state of one clone while it runs."""

    policy: Policy
    plan: Plan
    keys: KeyRing
    source: Source
    target: Target
    show: Reporter
    rows: dict[TableName, int] = field(default_factory=dict)
    seconds: dict[TableName, float] = field(default_factory=dict)
    checks: list[cert.Check] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)
    found: dict[TableName, dict[str, Any]] = field(default_factory=dict)
    literals: list[str] = field(default_factory=list)


def clone(
    policy: Policy,
    source: str,
    target: str,
    *,
    overwrite: bool = False,
    certificate: str | Path | None = None,
    sign_with: str | Path | None = None,
    keep_previous: int | None = None,
    keys: KeyRing | None = None,
    show: Reporter | None = None,
) -> CloneResult:
    """Clone ``source`` into a masked replica at ``target`` (both URLs).

    The replica appears when it is complete and verified; a failed or interrupted run leaves what was there untouched.
    Raises PlanError with every problem before any data is read, UsageError where the target may not be written,
    ConnectorError and MaskError where the run fails, CheckFailed where verification does.

    ``certificate`` is written as JSON and as a page beside it, signed by the private key in the file ``sign_with``.
    Of the replicas that were replaced, ``keep_previous`` stay for :func:`dbmask.cloner.rollback` (the policy's, else 1).
    """
    began = cert.now()
    signer = SigningKey.load(Path(sign_with)) if sign_with else None
    ring = policy.keyring() if keys is None else keys
    with closing(connector_for(source).source(source)) as opened, closing(connector_for(target).target(target)) as made:
        plan = plan_source(policy, opened, Profile.CLONE, ring).require()
        check_target(opened, made, overwrite)
        keep_replaced(made, policy, keep_previous)
        run = _Run(policy, plan, ring, opened, made, show or Quiet())
        with run.show:
            snapshot, left_out = _build(run)
        _record_kept(policy, plan)
        result = cert.Certificate(
            started=began,
            finished=cert.now(),
            source=opened.identity(),
            target=made.identity(),
            snapshot=snapshot,
            key_fingerprint=ring.fingerprint(),
            tables=cert.describe(plan, run.rows, run.seconds, run.found),
            checks=run.checks,
            not_looked_at=run.not_looked_at,
            left_out=left_out,
            literals=run.literals,
            warnings=[str(w) for w in plan.warnings],
            **cert.policy_facts(policy),
        )
    path = Path(certificate) if certificate else None
    if path is not None:
        cert.write_certificate(result, path, signer)
    return CloneResult(plan, run.rows, run.seconds, result, path)


def _record_kept(policy: Policy, plan: Plan) -> None:
    """Note in dbmask.lock the columns of `keep` tables that it does not know yet: what is added later is drift."""
    lock = Lock.beside(policy.path)
    kept = kept_columns(resolve(policy, plan.schema, lock))
    if any(lock.columns(name) is None for name in kept):
        lock.recording(kept, policy.digest).write()


def _build(run: _Run) -> tuple[str, tuple[str, ...]]:
    """Everything between plan and published replica; the building area is removed whatever goes wrong."""
    tables = {t.name: t for t in target_tables(run.plan)}
    order = [n for n in foreign_key_order(t.table for t in tables.values())]
    structure = run.source.structure(run.plan.schema, [tables[n] for n in order])
    problems, run.literals = check_literals(run.plan, structure, run.source, run.policy)
    if problems:
        raise PlanError(problems)
    run.target.begin()
    try:
        run.show.phase("structure")
        left_out = run.target.create(structure)
        with run.source.snapshot() as reader:
            _copy(run, reader, [run.plan.tables[n] for n in order], tables)
            run.target.finish(structure, run.show.phase)
            run.show.phase("verify")
            _verify(run, reader, structure)
            position = reader.position
        failed = [c for c in run.checks if not c.passed]
        if failed:
            raise CheckFailed("verification failed:\n" + "\n".join(f"{c.subject}: {c.found}" for c in failed))
        run.target.publish()
    except BaseException:  # Ctrl-C too: nothing half-done stays
        run.target.abort()
        raise
    return position, (*structure.left_out, *left_out)


def _copy(run: _Run, reader: Reader, plans: list[TablePlan], tables: Mapping[TableName, TargetTable]) -> None:
    dialect = run.source.capabilities.dialect
    readings = {p.name: reading(p, dialect) for p in plans if p.mode is not TableMode.EMPTY and p.writes}
    reader.use_keys(pads_for((r.query for r in readings.values()), run.keys))
    run.show.phase("rows")
    for plan in plans:
        one = readings.get(plan.name)
        if one is None:
            continue
        began = time.monotonic()
        run.show.table(str(plan.name), plan.table.rows)
        run.rows[plan.name] = _copy_table(run, reader, plan, one, tables[plan.name])
        run.seconds[plan.name] = time.monotonic() - began
        run.show.done(run.rows[plan.name])


def _copy_table(run: _Run, reader: Reader, plan: TablePlan, one: Reading, table: TargetTable) -> int:
    if plan.pushed_down:
        relayed = run.target.relay(run.source, reader, table, one.query, run.show.advance)
        if relayed is not None:
            return relayed
    # Masks of texts say what they found; what a plan tried on samples does not count.
    reports = {unit.bound.outputs[0]: unit.bound.report for unit in plan.units if hasattr(unit.bound, "report")}
    for report in reports.values():
        report.clear()
    rows = 0
    with run.target.sink(table) as sink:
        for batch in masked_batches(reader, one):
            sink.write(batch)
            count = len(batch[0]) if batch else 0
            rows += count
            run.show.advance(count)
    run.found[plan.name] = {column: report.as_dict() for column, report in reports.items()}
    return rows


def _verify(run: _Run, reader: Reader, structure: Structure) -> None:
    copied = [run.plan.tables[n] for n in run.rows]
    with run.target.reader() as replica:
        run.checks += verify_rows(copied, run.rows, reader, replica, run.source.capabilities.dialect)
        checks, unseen = verify_shares(
            copied,
            run.rows,
            reader,
            replica,
            (run.source.capabilities.dialect, run.target.capabilities.dialect),
            run.keys,
        )
        run.checks += checks
        run.not_looked_at += unseen
        dialects = (run.source.capabilities.dialect, run.target.capabilities.dialect)
        checks, unseen = search(copied, run.rows, reader, replica, dialects, allowed_residue(run.policy))
        run.checks += checks
        run.not_looked_at += unseen
    for name, broken in run.target.check_foreign_keys(structure).items():
        found = f"{broken} rows refer to nothing" if broken else "every row refers to one that is there"
        run.checks.append(cert.Check("foreign key", name, broken == 0, found, {"broken": broken}))
