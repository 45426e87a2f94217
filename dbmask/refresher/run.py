"""One run of a refresh job: a full clone where it must be, else what changed; history, lock and notice around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dbmask.cloner import CloneResult, Options, clone
from dbmask.cloner import certificate as cert
from dbmask.cloner.book import place_of
from dbmask.cloner.copying import TableJob
from dbmask.cloner.order import foreign_key_order
from dbmask.cloner.progress import Quiet, Reporter
from dbmask.cloner.run import Built
from dbmask.cloner.subset import Choice
from dbmask.engine import seldom_collected
from dbmask.errors import CheckFailed, DbmaskError, PlanError, UsageError
from dbmask.keys import KeyRing
from dbmask.planner import Plan, Profile, check_literals, check_target, plan_source, reading, target_tables
from dbmask.policy.jobs import Job, jobs_of, secret
from dbmask.policy.lock import Lock
from dbmask.policy.match import resolve
from dbmask.policy.model import Policy, TableMode
from dbmask.refresher.baseline import (
    VERSION,
    Baseline,
    Facts,
    columns_of,
    measured,
    save,
    structure_digest,
    table_digest,
)
from dbmask.refresher.bring import Brought
from dbmask.refresher.certify import Proof, of_refresh, proof_for
from dbmask.refresher.exchange import Exchange, facts_of
from dbmask.refresher.incremental import Anew, Incremental, baseline_of, comparable, why_not
from dbmask.refresher.lock import only_run
from dbmask.refresher.notify import tell
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import ComparableSource, RefreshableTarget, Source, Structure, SwapsTables, Target
from dbmask.state.seal import Sealer, sealer_for
from dbmask.state.store import State, TableRow, default_folder, default_url, now

__all__ = ["RefreshResult", "job_named", "refresh"]


@dataclass(frozen=True)
class RefreshResult:
    """What a run did: ``mode`` is "clone" or "incremental" and ``why`` says why; what became of each table; its certificate."""

    job: str
    run: int
    mode: str
    why: str
    tables: Mapping[str, TableRow] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    certificate_path: Path | None = None

    @property
    def rows_read(self) -> int:
        """Rows that were read and masked."""
        return sum(t.rows_read for t in self.tables.values())

    @property
    def rows_written(self) -> int:
        """Rows that were inserted or replaced."""
        return sum(t.rows for t in self.tables.values())


def job_named(policy: Policy, name: str | None) -> tuple[str, Job]:
    """A policy's job; its only one where no name is given. Raises UsageError where there is none."""
    jobs = jobs_of(policy.sections)
    if not jobs:
        raise UsageError("the policy has no `jobs:`")
    if name is None and len(jobs) > 1:
        raise UsageError(f"the policy has several jobs; --job names one: {', '.join(jobs)}")
    chosen = next(iter(jobs)) if name is None else name
    if chosen not in jobs:
        raise UsageError(f"the policy has no job {chosen}: it has {', '.join(jobs)}")
    return chosen, jobs[chosen]


@seldom_collected()
def refresh(
    policy: Policy,
    job: str | None = None,
    *,
    keys: KeyRing | None = None,
    state: str | None = None,
    show: Reporter | None = None,
    options: Options | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
    certificate: str | Path | None = None,
    sign_with: str | Path | None = None,
) -> RefreshResult:
    """Run a job of the policy: a full clone the first time and where it must be, else what changed, in one step.

    ``say`` is told beforehand what is unusual: that everything is masked anew, and why. Raises CheckFailed (exit 3) for
    drift and for changes by others that the job forbids, before anything is touched; otherwise as `clone`, with the
    replica as it was. The job's webhook is told either way. ``certificate`` and ``sign_with`` come before the job's own.
    """
    name, wanted = job_named(policy, job)
    folder = str(Path(policy.path).parent) if policy.path else ""
    source = secret(wanted.source, f"job {name}: source", folder)
    target = secret(wanted.target, f"job {name}: target", folder)
    hook = secret(wanted.notify.webhook, f"job {name}: webhook", folder) if wanted.notify else ""
    ring = policy.keyring() if keys is None else keys
    where = state or default_url()
    base = Path(urlsplit(where).path[1:]).expanduser().parent if where.startswith("sqlite:") else default_folder()
    with only_run(base, name, place_of(target)), State(where) as opened:
        died = opened.latest("refresh", place_of(target), name)
        if died is not None and died.status == "running":  # nobody else has the lock
            opened.update(died.id, status="failed", finished=now(), error="its process ended without a word")
        run = opened.start(
            kind="refresh",
            job=name,
            source="",
            target=place_of(target),
            policy=policy.path,
            key_fingerprint=ring.fingerprint(),
        )
        one = _Run(policy, name, wanted, (source, target), ring, opened, sealer_for(ring, base), run)
        one.show, one.options, one.overwrite = show or Quiet(), options or Options(), overwrite
        one.say, one.state_url = say or (lambda text: None), where
        try:
            one.proof = proof_for(wanted, folder, run, certificate, sign_with)
            result = one.go()
        except BaseException as error:
            said = str(error) if isinstance(error, DbmaskError) else type(error).__name__
            opened.update(run, status="failed", finished=now(), error=said)
            _tell(hook, wanted, one, "failed", said)
            raise
        opened.update(run, status="done", phase="", certificate=str(one.proof.path or ""), finished=now())
        if one.made is not None and one.proof.path is not None:
            cert.write_certificate(one.made, one.proof.path, one.proof.signer)
        warning = _tell(hook, wanted, one, "done", "", result)
    return replace(result, warnings=(*result.warnings, warning)) if warning else result


def _tell(hook: str, job: Job, run: _Run, status: str, error: str, result: RefreshResult | None = None) -> str:
    """Tell the webhook; what went wrong with that, in words: it is no reason for a run to fail."""
    if not hook or not job.notify or (job.notify.on == "failure" and status == "done"):
        return ""
    report: dict[str, Any] = {"job": run.name, "run": run.number, "status": status, "target": place_of(run.urls[1])}
    row = run.state.run(run.number)
    report |= {"started": row.started, "finished": row.finished, "error": error}
    if result is not None:
        report |= {
            "certificate": str(result.certificate_path or ""),
            "mode": result.mode,
            "rows_read": result.rows_read,
            "rows_written": result.rows_written,
        }
    try:
        tell(hook, report)
    except DbmaskError as problem:
        run.say(str(problem))
        return str(problem)
    return ""


@dataclass
class _Run:
    """One run while it runs."""

    policy: Policy
    name: str
    job: Job
    urls: tuple[str, str]
    keys: KeyRing
    state: State
    sealer: Sealer
    number: int
    show: Reporter = field(default_factory=Quiet)
    options: Options = field(default_factory=Options)
    overwrite: bool = False
    say: Callable[[str], None] = print
    state_url: str = ""
    proof: Proof = field(default_factory=Proof)
    made: cert.Certificate | None = None

    def go(self) -> RefreshResult:
        with ExitStack() as stack:
            source = stack.enter_context(closing(connector_for(self.urls[0]).source(self.urls[0])))
            target = stack.enter_context(closing(connector_for(self.urls[1]).target(self.urls[1])))
            self.state.update(self.number, source=source.identity(), phase="plan")
            plan = plan_source(self.policy, source, Profile.CLONE, self.keys)
            why, last = why_not(source, target, self.state, self.sealer, self.name)
            self._require(plan, last)
            check_target(source, target, self.overwrite or bool(last))
            structure, jobs = self._structure(plan, source)
            digest = structure_digest(structure, jobs)
            if not why and Choice.of(self.policy, plan, None, None).needed:
                why = "a subset of rows is chosen anew"
            if not why and last is not None and last.structure != digest:
                why = "the structure of source or replica has changed"
            fresh = baseline_of(plan, self.keys, digest, source, target.identity(), VERSION)
            if last is not None and last.keys != fresh.keys:
                self.say("The masking key or the epoch has changed: every row of every table is masked anew.")
            if not why and last is not None:
                try:
                    return self._incremental(plan, source, target, structure, jobs, last, fresh)
                except Anew as anew:
                    why = str(anew)
        self.say(f"Job {self.name}: a full clone: {why}.")
        return self._clone(why)

    def _incremental(
        self,
        plan: Plan,
        source: Source,
        target: Target,
        structure: Structure,
        jobs: Mapping[TableName, TableJob],
        last: Baseline,
        fresh: Baseline,
    ) -> RefreshResult:
        self.state.update(self.number, phase="rows", plan_digest=fresh.structure)
        ends = (self.job, self.name, plan, self.keys, source, target, structure, jobs)
        kind = Exchange if isinstance(target, SwapsTables) else Incremental
        one = kind(*ends, last, fresh, self.state, self.sealer, self.show)
        began, follows = cert.now(), self._follows()
        try:
            with self.show:
                brought = one.run()
        except CheckFailed as error:
            said = of_refresh(one, self.policy, began, follows)
            raise cert.failed(error, said, self.proof.path, self.proof.signer) from None
        if self.proof.path is not None:
            self.made = of_refresh(one, self.policy, began, follows)
        token = one.counts.token if isinstance(one, Exchange) else fresh.token
        return self._done("incremental", "", {n: _row(n, b) for n, b in brought.items()}, token)

    def _follows(self) -> str:
        """The run whose replica this one brings up to date, in words."""
        done = self.state.latest("refresh", place_of(self.urls[1]), self.name, status="done")
        return f"run {done.id}, which ended {done.finished}" if done else "a run that is not in this state database"

    def _require(self, plan: Plan, last: Baseline | None) -> None:
        """Raise CheckFailed for drift, PlanError for other problems."""
        drift = [str(p) for p in resolve(self.policy, plan.schema, Lock.beside(self.policy.path)).drift]
        known = last.known if last else columns_of(plan.schema)
        here = columns_of(plan.schema)
        new = [t if t not in known else f"{t}.{c}" for t, cs in here.items() for c in cs if c not in known.get(t, ())]
        if plan.problems and new:
            drift += [str(p) for p in plan.problems]
        if drift:
            raise CheckFailed("the source has what the policy does not name:\n" + "\n".join(dict.fromkeys(drift)))
        if plan.problems:
            raise PlanError(plan.problems)

    def _structure(self, plan: Plan, source: Source) -> tuple[Structure, dict[TableName, TableJob]]:
        tables = {t.name: t for t in target_tables(plan)}
        order = list(foreign_key_order(t.table for t in tables.values()))
        structure = source.structure(plan.schema, [tables[n] for n in order])
        problems, _ = check_literals(plan, structure, source, self.policy)
        if problems:
            raise PlanError(problems)
        dialect = source.capabilities.dialect
        plans = [plan.tables[n] for n in order]
        made = [p for p in plans if p.mode is not TableMode.EMPTY and p.writes]
        return structure, {p.name: TableJob(p, reading(p, dialect), tables[p.name]) for p in made}

    def _clone(self, why: str) -> RefreshResult:
        token: list[str] = []

        def measure(built: Built) -> None:
            self._baseline(built, token)

        how: dict[str, Any] = {
            "keys": self.keys,
            "show": self.show,
            "state": self.state_url,
            "options": self.options,
            "keep_previous": self.job.keep_previous,
            "overwrite": self.overwrite,
            "before_publish": measure,
            "certificate": self.proof.path,
            "sign_with": self.proof.key,
        }
        done = self._resumed(how) or clone(self.policy, *self.urls, **how)
        rows = {
            n: TableRow(str(n), count, *done.chunks.get(n, (0, 0)), done.seconds[n], count, 0, "clone", why)
            for n, count in done.rows.items()
        }
        return self._done("clone", why, rows, token[0] if token else "")

    def _resumed(self, how: Mapping[str, Any]) -> CloneResult | None:
        """What becomes of a clone into this target that did not end, where there is one that can be continued."""
        last = self.state.latest("clone", place_of(self.urls[1]))
        if last is None or last.status == "done" or not last.building:
            return None
        try:
            return clone(self.policy, *self.urls, resume=True, **how)
        except UsageError as error:
            self.say(f"Job {self.name}: run {last.id} is not continued: {error}")
            return None

    def _baseline(self, built: Built, token: list[str]) -> None:
        """Measure what the next run compares with, in the clone's own snapshot, and mark what was built."""
        source, target = built.source, built.target
        chosen = any(j.plan.picked is not None for j in built.jobs.values())
        if not comparable(source, target) or chosen or source.capabilities.dialect != target.capabilities.dialect:
            return
        assert isinstance(target, RefreshableTarget | SwapsTables)  # noqa: S101 - comparable has asked
        self.show.phase("checksums")
        made = baseline_of(built.plan, self.keys, structure_digest(built.structure, built.jobs), source, "", VERSION)
        for name, job in built.jobs.items():
            made.tables[name] = self._facts(built, job)
        made.moment = source.moment(built.reader) if isinstance(source, ComparableSource) else ""
        made.target = target.built_identity()
        made.written = target.note(made.token)
        save(self.state, self.sealer, self.name, made)
        token.append(made.token)

    def _facts(self, built: Built, job: TableJob) -> Facts:
        source, default = built.source, built.plan.schema.default_schema
        assert isinstance(source, ComparableSource)  # noqa: S101 - comparable has asked
        rows = built.rows[job.plan.name]
        if isinstance(built.target, SwapsTables):
            return facts_of(source, built.reader, job, self.sealer, self.job, default, rows)
        rule = self.job.rule(job.plan.name, default)
        column = (rule.column or "") if rule and job.plan.table.column(rule.column or "") else ""
        bounds, parts, highest = measured(source, built.reader, job, self.sealer, column)
        return Facts(table_digest(job), rows, bounds, parts, highest, column)

    def _done(self, mode: str, why: str, rows: Mapping[TableName, TableRow], token: str) -> RefreshResult:
        self.state.set_tables(self.number, rows.values())
        if token:
            self.state.prune_baselines(self.name, [token])
        tables = {str(n): r for n, r in rows.items()}
        return RefreshResult(self.name, self.number, mode, why, tables, certificate_path=self.proof.path)


def _row(name: TableName, brought: Brought) -> TableRow:
    way = brought.way
    return TableRow(
        str(name),
        brought.written,
        brought.parts,
        brought.reused,
        brought.seconds,
        brought.read,
        brought.gone,
        way.mode,
        way.why,
    )
