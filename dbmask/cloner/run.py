"""One clone from plan to published replica: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dbmask.atomic import require_place
from dbmask.cloner import certificate as cert
from dbmask.cloner.ahead import Ahead, worth
from dbmask.cloner.book import Book, open_book, place_of
from dbmask.cloner.chunks import plan_digest
from dbmask.cloner.constraints import validated
from dbmask.cloner.copying import TableJob
from dbmask.cloner.early import Early, goes_in_chunks
from dbmask.cloner.loading import Loading, Options
from dbmask.cloner.order import foreign_key_order
from dbmask.cloner.previous import keep_replaced
from dbmask.cloner.progress import Quiet, Reporter
from dbmask.cloner.residue import allowed_residue, search
from dbmask.cloner.resume import earlier_run, superseded
from dbmask.cloner.signing import SigningKey
from dbmask.cloner.subset import Choice
from dbmask.cloner.verify import verify_rows, verify_shares
from dbmask.engine import seldom_collected
from dbmask.errors import CheckFailed, ConnectorError, PlanError, UsageError
from dbmask.keys import KeyRing
from dbmask.planner import (
    Plan,
    Profile,
    TablePlan,
    check_literals,
    check_target,
    plan_source,
    reading,
    target_tables,
)
from dbmask.policy.lock import Lock
from dbmask.policy.match import kept_columns, resolve
from dbmask.policy.model import Policy, TableMode
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import (
    ChunkedTarget,
    OpensBuilding,
    OpensRows,
    Reader,
    ReplacesSource,
    Source,
    Structure,
    Target,
    TargetTable,
)

__all__ = ["Built", "CloneResult", "Options", "clone"]


@dataclass(frozen=True)
class CloneResult:
    """What a clone did: its plan, rows and seconds per table, and the certificate."""

    plan: Plan
    rows: Mapping[TableName, int]
    seconds: Mapping[TableName, float]
    certificate: cert.Certificate
    certificate_path: Path | None = None
    chunks: Mapping[TableName, tuple[int, int]] = field(default_factory=dict)
    """Chunks of each table, and how many of them an earlier run had written."""


@dataclass(frozen=True)
class Built:
    """A replica that is complete and verified, while its snapshot is still open."""

    plan: Plan
    jobs: Mapping[TableName, TableJob]
    structure: Structure
    source: Source
    reader: Reader
    target: Target
    rows: Mapping[TableName, int]


@dataclass
class _Run:
    """The state of one clone while it runs."""

    policy: Policy
    plan: Plan
    keys: KeyRing
    source: Source
    target: Target
    show: Reporter
    urls: tuple[str, str]
    options: Options
    book: Book
    early: Early = field(default_factory=Early)
    resume: bool = False
    choice: Choice = field(default_factory=Choice)
    before_publish: Callable[[Built], None] | None = None
    rows: dict[TableName, int] = field(default_factory=dict)
    seconds: dict[TableName, float] = field(default_factory=dict)
    checks: list[cert.Check] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)
    found: dict[TableName, dict[str, Any]] = field(default_factory=dict)
    literals: list[str] = field(default_factory=list)
    position: str = ""
    left_out: tuple[str, ...] = ()
    ahead: Ahead | None = None


@seldom_collected()
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
    state: str | None = None,
    resume: bool = False,
    jobs: int | None = None,
    options: Options | None = None,
    share: str | None = None,
    max_rows: int | None = None,
    in_place: bool = False,
    before_publish: Callable[[Built], None] | None = None,
) -> CloneResult:
    """Clone ``source`` into a masked replica at ``target`` (both URLs).

    The replica appears when it is complete and verified; a failed or interrupted run leaves what was there untouched.
    ``state`` is the URL of the state database: with it ``resume`` continues a run that died, or that a database failed.
    Raises PlanError with every problem before any data is read, UsageError where the target may not be written,
    ConnectorError and MaskError where the run fails, CheckFailed where verification does.

    ``jobs`` worker processes read one snapshot, where both databases can; they do not import the caller's script, which needs
    no guard, and functions that the policy names come from modules. ``options`` say more of how rows are moved.
    ``certificate`` is written as JSON and as a page beside it, signed by the private key in the file ``sign_with``; where
    a check fails it is written too, and says so.
    ``share`` ("5%") and ``max_rows`` of each table, before the policy's ``subset:``, make it a subset in which every
    foreign key holds. ``before_publish`` is called with what was built and verified, before it appears.
    Of the replicas that were replaced, ``keep_previous`` stay for :func:`dbmask.cloner.rollback` (the policy's, else 1).
    """
    began = cert.now()
    path, signer = cert.place_of(certificate), SigningKey.load(Path(sign_with)) if sign_with else None
    ring = policy.keyring() if keys is None else keys
    with ExitStack() as stack:
        opened = stack.enter_context(closing(connector_for(source).source(source)))
        made = stack.enter_context(closing(connector_for(target).target(target)))
        how = options or Options()
        moving = (source, target), how if jobs is None else replace(how, jobs=jobs)
        early = stack.enter_context(_early(opened, made, *moving, resume, state is not None))
        plan = _planned(policy, opened, ring)
        _prepare(opened, made, overwrite, in_place)
        keep_replaced(made, policy, keep_previous)
        book = stack.enter_context(closing(open_book(state, ring)))
        choice = Choice.of(policy, plan, share, max_rows, resume)
        if choice.needed:
            early.end()
        facts = policy, plan, ring, opened, made, show or Quiet()
        run = _Run(*facts, *moving, book, early, resume, choice, before_publish)
        result = _verified(run, began, "apply" if in_place else "clone", path, signer)
        book.finished(str(certificate or ""))
        _record_kept(policy, plan)
    if path is not None:
        cert.write_certificate(result, path, signer)
    chunks = {name: (tally.chunks, tally.reused) for name, tally in run.book.tallies.items()}
    return CloneResult(plan, run.rows, run.seconds, result, path, chunks)


def _verified(run: _Run, began: str, job: str, path: Path | None, signer: SigningKey | None) -> cert.Certificate:
    """Build the replica; the certificate of what stands. Raises CheckFailed, once the certificate that says so is written."""
    try:
        with run.show:
            _build(run)
    except CheckFailed as error:
        raise cert.failed(error, cert.of_run(run, began, run.target.identity(), job), path, signer) from None
    finally:
        if run.ahead is not None:
            run.ahead.end()
    return cert.of_run(run, began, run.target.identity(), job)


_TO_RECORD = "it is to record the columns of `keep` tables; `dbmask check --accept` does that beforehand"


def _planned(policy: Policy, source: Source, keys: KeyRing) -> Plan:
    """The plan. Raises PlanError, and UsageError where dbmask.lock will have to be written and cannot be."""
    plan = plan_source(policy, source, Profile.CLONE, keys).require()
    lock = _unrecorded(policy, plan)
    if lock is not None and lock.path:
        require_place(Path(lock.path), _TO_RECORD)
    return plan


def _prepare(source: Source, target: Target, overwrite: bool, in_place: bool) -> None:
    """Refuse a target that may not be written."""
    if not in_place:
        check_target(source, target, overwrite)
    elif isinstance(target, ReplacesSource):  # dbmask.cloner.apply has asked for the name of what goes
        target.replace_source()
        target.check(overwrite=True)
    else:
        raise UsageError("this kind of database cannot be masked in its place: clone it")


def _early(
    source: Source, target: Target, urls: tuple[str, str], options: Options, resume: bool, lasting: bool
) -> Early:
    """What a fresh run in chunks needs besides this process."""
    if resume or not goes_in_chunks(source, target):
        return Early()
    return Early.start(urls, options.jobs, lasting and source.capabilities.joins_late, options.grace)


def _record_kept(policy: Policy, plan: Plan) -> None:
    """Note in dbmask.lock the columns of `keep` tables that it does not know yet: what is added later is drift."""
    made = _unrecorded(policy, plan)
    if made is not None:
        made.write()


def _unrecorded(policy: Policy, plan: Plan) -> Lock | None:
    lock = Lock.beside(policy.path)
    kept = kept_columns(resolve(policy, plan.schema, lock))
    return lock.recording(kept, policy.digest) if any(lock.columns(name) is None for name in kept) else None


def _build(run: _Run) -> None:
    """Everything between plan and published replica; the building area is removed whatever goes wrong."""
    tables = {t.name: t for t in target_tables(run.plan)}
    order = [n for n in foreign_key_order(t.table for t in tables.values())]
    jobs = _jobs(run, [run.plan.tables[n] for n in order], tables)
    _search_ahead(run, jobs)
    structure = run.source.structure(run.plan.schema, [tables[n] for n in order])
    problems, run.literals = check_literals(run.plan, structure, run.source, run.policy)
    if problems:
        raise PlanError(problems)
    loading = _loading(run, structure, jobs)
    try:
        with loading.run() as loaded:
            run.rows, run.seconds, run.found = loading.rows, loading.seconds, loading.found
            picked = {name: job.plan for name, job in loading.jobs.items()}
            run.plan = replace(run.plan, tables={**run.plan.tables, **picked})
            if not loaded.finished:
                run.book.phase("finish")
                if run.ahead is not None and isinstance(run.target, OpensRows):
                    run.ahead.look_at_rows(run.target)
                run.target.finish(structure, run.show.phase)
            run.position = loaded.reader.position
            run.left_out = (*structure.left_out, *loaded.left_out, *run.choice.left_out(picked.values()))
            run.book.phase("verify")
            run.show.phase("verify")
            _verify(run, loaded.reader, structure)
            if run.before_publish is not None and all(c.passed for c in run.checks):
                made = Built(run.plan, loading.jobs, structure, run.source, loaded.reader, run.target, run.rows)
                run.before_publish(made)
        failed = [(c.subject, c.found) for c in run.checks if not c.passed]
        if failed:
            raise CheckFailed("verification failed:\n" + "\n".join(map(": ".join, failed)), failed)
        run.book.phase("publish")
        run.target.publish()
    except BaseException as error:  # Ctrl-C too: nothing half-done stays, but what a later run can go on with
        _stop(run, loading, error)
        raise
    loading.stop(resumable=False)


def _stop(run: _Run, loading: Loading, error: BaseException) -> None:
    """Where a database failed the run can be resumed: what is built stays out of sight, and its snapshot for a while."""
    resumable = isinstance(error, ConnectorError) and run.book.lasting and loading.in_chunks
    try:
        if resumable and isinstance(run.target, ChunkedTarget):
            run.target.keep()
        else:
            run.target.abort()
        loading.stop(resumable)
    finally:
        run.book.failed(error, resumable=resumable)
    if resumable:
        run.show.phase(f"run {run.book.run} stopped; --resume goes on with it")


def _loading(run: _Run, structure: Structure, jobs: Mapping[TableName, TableJob]) -> Loading:
    """The way to loaded rows: a new run's, or that of the one to be resumed. Raises UsageError where there is none to resume."""
    facts = {
        "source": run.source.identity(),
        "plan_digest": plan_digest(run.policy.digest, run.keys.epoch, structure, jobs),
        "key_fingerprint": run.keys.fingerprint(),
    }
    place, earlier = place_of(run.urls[1]), None
    if run.resume:
        row, earlier = earlier_run(run.book, place, facts)
        run.book.go_on(row, run.options.jobs)
    else:
        superseded(run.book, place)
        run.book.begin(target=place, policy=run.policy.path, jobs=run.options.jobs, **facts)
    return Loading(
        run.urls,
        run.source,
        run.target,
        run.policy,
        run.keys,
        structure,
        jobs,
        run.options,
        run.book,
        run.show,
        earlier,
        run.choice.picking(jobs, run.plan.schema, run.source.capabilities.dialect, run.keys),
        run.early,
        run.ahead,
    )


def _search_ahead(run: _Run, jobs: Mapping[TableName, TableJob]) -> None:
    """Start the search for raw values beside the copy, where it may read the source a second time and is worth it."""
    if run.choice.needed or run.options.max_rate is not None:
        return
    if worth(run.source, run.target, [job.plan for job in jobs.values()]):
        run.ahead = Ahead(run.urls, run.policy, run.plan, list(jobs), allowed_residue(run.policy), run.keys)


def _jobs(run: _Run, plans: list[TablePlan], tables: Mapping[TableName, TargetTable]) -> dict[TableName, TableJob]:
    dialect = run.source.capabilities.dialect
    return {
        p.name: TableJob(p, reading(p, dialect), tables[p.name])
        for p in plans
        if p.mode is not TableMode.EMPTY and p.writes
    }


def _verify(run: _Run, reader: Reader, structure: Structure) -> None:
    copied = [run.plan.tables[n] for n in run.rows]
    dialects = (run.source.capabilities.dialect, run.target.capabilities.dialect)
    if run.ahead is not None and isinstance(run.target, OpensBuilding):
        run.ahead.look(run.target.opened())
    with run.target.reader() as replica:
        run.checks += verify_rows(copied, run.rows, reader, replica, dialects[0])
        checks, unseen = verify_shares(copied, run.rows, reader, replica, dialects, run.keys)
        run.checks += checks
        run.not_looked_at += unseen
        found = run.ahead.result() if run.ahead is not None else None
        if found is None:
            found = search(copied, run.rows, reader, replica, dialects, allowed_residue(run.policy))
        run.checks += found[0]
        run.not_looked_at += found[1]
    checks, unseen = validated(copied, structure, dialects[1])
    run.checks += checks
    run.not_looked_at += unseen
    for name, broken in run.target.check_foreign_keys(structure).items():
        found_broken = f"{broken} rows refer to nothing" if broken else "every row refers to one that is there"
        run.checks.append(cert.Check("foreign key", name, broken == 0, found_broken, {"broken": broken}))
