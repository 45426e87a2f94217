"""``dbmask verify``: a replica that is there already, compared with its source and with the policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dbmask.cloner import certificate as cert
from dbmask.cloner.constraints import lacking
from dbmask.cloner.progress import Quiet, Reporter
from dbmask.cloner.residue import allowed_residue, search
from dbmask.cloner.signing import SigningKey
from dbmask.cloner.subset import Choice
from dbmask.cloner.verify import count_rows, verify_rows, verify_shares
from dbmask.errors import ConnectorError, UsageError
from dbmask.keys import KeyRing
from dbmask.planner import Plan, Profile, RunsIn, TablePlan, plan_source
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.planner.select import relation
from dbmask.policy.model import Policy, TableMode
from dbmask.registry import connector_for
from dbmask.schema import ForeignKey, Schema, Table, TableKind, TableName
from dbmask.spi import Reader

__all__ = ["verify_replica"]


def verify_replica(
    policy: Policy,
    source: str,
    target: str,
    *,
    certificate: str | Path | None = None,
    sign_with: str | Path | None = None,
    keys: KeyRing | None = None,
    show: Reporter | None = None,
    share: str | None = None,
    max_rows: int | None = None,
) -> cert.Certificate:
    """Compare the replica at ``target`` with ``source`` (both URLs) under the policy; nothing is written to either.

    Structure, row counts, foreign keys, values that stayed equal, values of the source anywhere in the replica. A source
    that has changed since the replica was made shows as rows that are missing. Returns a certificate, passed or not.
    ``share`` and ``max_rows`` are those of the clone, where it was a subset that the policy does not describe.
    Raises PlanError, UsageError where both are one database, ConnectorError where one cannot be read.
    """
    began = cert.now()
    path, signer = cert.place_of(certificate), SigningKey.load(Path(sign_with)) if sign_with else None
    ring = policy.keyring() if keys is None else keys
    seen = show or Quiet()
    with closing(connector_for(target).source(target)) as replica:
        identity, schema = replica.identity(), replica.schema()
    with closing(connector_for(source).source(source)) as opened, seen:
        if opened.identity() and opened.identity() == identity:
            raise UsageError("source and target are the same database: there is nothing to compare")
        plan = plan_source(policy, opened, Profile.CLONE, ring).require()
        choice = Choice.of(policy, plan, share, max_rows)
        seen.phase("structure")
        checks, there = _structure(plan, schema)
        dialects = (opened.capabilities.dialect, schema.dialect)
        with (
            closing(connector_for(target).target(target)) as place,
            opened.snapshot() as raw,
            place.reader() as masked,
        ):
            chosen = choice.picked([t for t in there if t.writes], plan.schema, raw, dialects[0], ring)
            there = [chosen.get(t.name, t) for t in there]
            found, unseen, rows = _compare(plan, there, raw, masked, dialects, ring, policy, seen)
            position = raw.position
        result = cert.Certificate(
            started=began,
            finished=cert.now(),
            source=opened.identity(),
            target=identity,
            snapshot=position,
            key_fingerprint=ring.fingerprint(),
            tables=cert.describe(plan, rows, {}),
            checks=[*checks, *found],
            not_looked_at=unseen,
            left_out=(),
            warnings=[str(w) for w in plan.warnings],
            job="verify",
            **cert.policy_facts(policy),
        )
    if path is not None:
        cert.write_certificate(result, path, signer)
    return result


def _structure(plan: Plan, schema: Schema) -> tuple[list[cert.Check], list[TablePlan]]:
    """A check for each table of the plan, and the tables that are there with all their columns."""
    single = schema.default_schema
    known = {_placed(t.name, plan.schema, schema): t for t in plan}
    alike = plan.schema.dialect == schema.dialect != "generic"
    checks, there = [], []
    for name, wanted in known.items():
        table = schema.tables.get(name)
        wrong = _wrong(wanted, table)
        if alike and table is not None and wanted.mode is not TableMode.SKIP:
            skipped = {n.name for n, t in known.items() if t.mode is TableMode.SKIP}
            wrong += lacking(wanted, table, skipped)
        checks.append(cert.Check("structure", str(wanted.name), not wrong, "; ".join(wrong) or "as the policy has it"))
        if table is not None and wanted.mode is not TableMode.SKIP and not any("is not there" in w for w in wrong):
            there.append(wanted)
    for name in schema.tables:
        if name not in known:
            shown = name if name.schema != single else TableName("", name.name)
            checks.append(cert.Check("structure", str(shown), False, "is in the replica, and not in the source"))
    return checks, there


def _placed(name: TableName, source: Schema, replica: Schema) -> TableName:
    """A table's name in the replica: its default schema stands for the source's."""
    if name.schema == source.default_schema or not replica.default_schema:
        return TableName(replica.default_schema, name.name)
    return name


def _wrong(wanted: TablePlan, table: Table | None) -> list[str]:
    if wanted.mode is TableMode.SKIP:
        return ["`skip` is written for it, and it is in the replica"] if table is not None else []
    if table is None:
        return ["is not there"]
    here = {c.name for c in table.columns}
    planned = {c.column.name for c in wanted.columns if c.runs_in is not RunsIn.NOWHERE} or {
        c.name for c in wanted.table.columns
    }
    wrong = [f"column {c} is not there" for c in sorted(planned - here)]
    wrong += [f"column {c} is dropped by the policy, and it is there" for c in wanted.dropped if c in here]
    extra = here - planned - set(wanted.dropped)
    return wrong + [f"column {c} is in the replica, and not in the plan" for c in sorted(extra)]


def _compare(
    plan: Plan,
    there: list[TablePlan],
    raw: Reader,
    masked: Reader,
    dialects: tuple[str, str],
    keys: KeyRing,
    policy: Policy,
    show: Reporter,
) -> tuple[list[cert.Check], list[str], dict[TableName, int]]:
    """All that is compared row by row, for the tables that both have."""
    copied = [t for t in there if t.mode is not TableMode.EMPTY and not _in_its_root(plan, t)]
    show.phase("rows")
    rows = {t.name: count_rows(masked, t.table) for t in there if not _in_its_root(plan, t)}
    checks = verify_rows(copied, rows, raw, masked, dialects[0])
    for t in there:
        if t.mode is TableMode.EMPTY and rows.get(t.name):
            checks.append(cert.Check("rows", str(t.name), False, f"{rows[t.name]:,} rows, and it is to be empty"))
    show.phase("foreign keys")
    checks += _foreign_keys(there, masked)
    show.phase("values")
    shares, unseen = verify_shares(copied, rows, raw, masked, dialects, keys)
    show.phase("search")
    residue, unsearched = search(copied, rows, raw, masked, dialects, allowed_residue(policy))
    return [*checks, *shares, *residue], [*unseen, *unsearched], rows


def _in_its_root(plan: Plan, table: TablePlan) -> bool:
    return table.table.kind is TableKind.PARTITION and any(p in plan.tables for p in table.table.parents)


def _foreign_keys(plans: list[TablePlan], reader: Reader) -> Iterator[cert.Check]:
    """Rows of the replica that refer to nothing, for each key whose both ends are there."""
    present = {t.name: t for t in plans}
    for plan in plans:
        for key in plan.table.foreign_keys:
            parent = present.get(key.ref_table)
            gone = set(key.columns) & set(plan.dropped)
            if parent is None or gone or plan.mode is TableMode.EMPTY or set(key.ref_columns) & set(parent.dropped):
                continue
            name = f"{plan.name}.{key.name or '+'.join(key.columns)}"
            try:
                broken = _broken(plan.table, parent.table, key, reader)
            except ConnectorError as error:
                yield cert.Check("foreign key", name, False, f"could not be counted: {error}")
                continue
            found = f"{broken:,} rows refer to nothing" if broken else "every row refers to one that is there"
            yield cert.Check("foreign key", name, broken == 0, found, {"broken": broken})


def _broken(child: Table, parent: Table, key: ForeignKey, reader: Reader) -> int:
    from sqlglot import exp

    from dbmask_sql.dialects.base import column

    other = relation(parent)
    other.set("alias", exp.TableAlias(this=exp.to_identifier("dbmask_parent", quoted=True)))
    pairs = list(zip(key.columns, key.ref_columns, strict=True))
    same = [exp.EQ(this=column(r, "dbmask_parent"), expression=column(c, SOURCE_ALIAS)) for c, r in pairs]
    known = [exp.Not(this=exp.Is(this=column(c, SOURCE_ALIAS), expression=exp.Null())) for c, _ in pairs]
    inner = exp.select("1").from_(other).where(exp.and_(*same))
    query = exp.select(exp.Count(this=exp.Star())).from_(relation(child))
    query = query.where(exp.and_(*known, exp.Not(this=exp.Exists(this=inner))))
    return next(int(batch[0][0]) for batch in reader.read(query))
