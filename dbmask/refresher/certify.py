"""The certificate of a refresh: what was brought how, what was checked, and what was left to the clone before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dbmask.cloner import certificate as cert
from dbmask.cloner.signing import SigningKey
from dbmask.policy.jobs import Job
from dbmask.policy.model import Policy
from dbmask.refresher.incremental import Bringing

__all__ = ["Proof", "of_refresh", "proof_for"]

_NOT_SEARCHED = "values of masked columns elsewhere in the replica: a full clone looks for them, and `dbmask verify` does at any time"
_NOT_COMPARED = (
    "values that stayed equal under their masks: a full clone counts them, and `dbmask verify` does at any time"
)
_KEYS = "foreign keys: the database itself has held them while rows were exchanged"


@dataclass(frozen=True)
class Proof:
    """Where a run's certificate goes, and what signs it."""

    path: Path | None = None
    key: Path | None = None
    signer: SigningKey | None = None


def proof_for(job: Job, folder: str, run: int, certificate: str | Path | None, sign_with: str | Path | None) -> Proof:
    """Where a run's certificate goes, ``{run}`` being its number, and what signs it: as asked for, else as the job says.

    Paths of the job are relative to the policy's ``folder``. Raises UsageError where no file can be made there, or the key is none.
    """
    wanted = str(certificate) if certificate else str(Path(folder, job.certificate)) if job.certificate else ""
    key = Path(sign_with) if sign_with else Path(folder, job.sign_with) if job.sign_with else None
    path = cert.place_of(wanted.replace("{run}", str(run)))
    return Proof(path, key, SigningKey.load(key) if key else None)


def of_refresh(made: Bringing, policy: Policy, began: str, follows: str) -> cert.Certificate:
    """The certificate of a run that brought what has changed since ``follows``, in words; asks no database."""
    rows = {name: one.facts.rows for name, one in made.brought.items()}
    seconds = {name: one.seconds for name, one in made.brought.items()}
    tables = cert.describe(made.plan, rows, seconds)
    brought = {str(name): one for name, one in made.brought.items()}
    for table in tables:
        one = brought.get(table["table"])
        if one is not None:
            facts = {"mode": one.way.mode, "why": one.way.why, "read": one.read, "written": one.written}
            table["refreshed"] = {**facts, "removed": one.gone}
    kinds = {check.kind for check in made.checks}
    counted = {check.subject for check in made.checks if check.kind == "rows"}
    unseen = [_NOT_SEARCHED, *made.unseen]
    unseen += [] if "unchanged" in kinds else [_NOT_COMPARED]
    unseen += [] if "foreign key" in kinds else [_KEYS]
    unseen += [
        f"{n}: nothing in it was written, and its rows were not counted again" for n in brought if n not in counted
    ]
    return cert.Certificate(
        started=began,
        finished=cert.now(),
        source=made.fresh.source,
        target=made.fresh.target,
        snapshot=made.position,
        key_fingerprint=made.keys.fingerprint(),
        tables=tables,
        checks=made.checks,
        not_looked_at=unseen,
        left_out=made.structure.left_out,
        warnings=[str(w) for w in made.plan.warnings],
        job="refresh",
        follows=follows,
        **cert.policy_facts(policy),
    )
