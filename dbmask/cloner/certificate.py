"""The certificate of a run: what was masked how, where it ran, and what was checked with which result."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from dbmask import __version__
from dbmask.atomic import require_place, write_text
from dbmask.cloner.page import render
from dbmask.cloner.signing import SigningKey, signed
from dbmask.errors import CheckFailed, DbmaskError
from dbmask.keys import KeyRing
from dbmask.planner import Plan, TablePlan
from dbmask.policy.model import Policy, TableMode
from dbmask.schema import TableName
from dbmask.spi import Source
from dbmask_sql.jcs import canonical_json

__all__ = [
    "Certificate",
    "Check",
    "describe",
    "failed",
    "now",
    "of_run",
    "place_of",
    "policy_facts",
    "write_certificate",
]


@dataclass(frozen=True)
class Check:
    """One check: ``subject`` (table, column or key), what was found, whether that is as it should be."""

    kind: str
    subject: str
    passed: bool
    found: str
    figures: Mapping[str, float | int | None] = field(default_factory=dict)
    """Numbers that ``found`` says in words; ``seen``, of how many rows or values, is the check's coverage."""


@dataclass(frozen=True)
class Certificate:
    """Everything an auditor needs; holds neither values nor keys."""

    started: str
    finished: str
    source: str
    target: str
    snapshot: str
    policy: str
    policy_digest: str
    epoch: str
    key_fingerprint: str
    tables: Sequence[Mapping[str, Any]]
    checks: Sequence[Check]
    not_looked_at: Sequence[str]
    left_out: Sequence[str]
    literals: Sequence[str] = ()
    warnings: Sequence[str] = ()
    default: str = "deny"
    job: str = "clone"
    version: str = __version__
    follows: str = ""
    """Of a refresh: the run that made what it brought up to date."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        made = {"format": "dbmask certificate 1", "passed": self.passed, **asdict(self)}
        if not self.follows:
            del made["follows"]
        return made


class Run(Protocol):
    """What a run knows when it ends."""

    policy: Policy
    plan: Plan
    keys: KeyRing
    source: Source
    position: str
    rows: dict[TableName, int]
    seconds: dict[TableName, float]
    found: dict[TableName, dict[str, Any]]
    checks: list[Check]
    not_looked_at: list[str]
    left_out: tuple[str, ...]
    literals: list[str]


def of_run(run: Run, began: str, target: str, job: str) -> Certificate:
    """The certificate of a run that ends now; ``target`` is the identity of what it wrote. Raises ConnectorError."""
    return Certificate(
        started=began,
        finished=now(),
        source=run.source.identity(),
        target=target,
        snapshot=run.position,
        key_fingerprint=run.keys.fingerprint(),
        tables=describe(run.plan, run.rows, run.seconds, run.found),
        checks=run.checks,
        not_looked_at=run.not_looked_at,
        left_out=run.left_out,
        literals=run.literals,
        warnings=[str(w) for w in run.plan.warnings],
        job=job,
        **policy_facts(run.policy),
    )


def describe(
    plan: Plan,
    rows: Mapping[Any, int],
    seconds: Mapping[Any, float],
    found: Mapping[Any, Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """The certificate's tables: mode, rows, and per column its mask, where it ran and, in texts, what it ``found``."""
    return [
        {
            "table": str(t.name),
            "mode": t.mode.value,
            "rows": rows.get(t.name, 0),
            "seconds": round(seconds.get(t.name, 0.0), 3),
            "columns": [
                {
                    "column": c.column.name,
                    "mask": c.mask,
                    "runs_in": c.runs_in.value,
                    "keyed": c.keyed,
                    **_found(found, t, c.column.name),
                }
                for c in t.columns
            ],
        }
        for t in plan
        if t.mode is not TableMode.SKIP
    ]


def _found(found: Mapping[Any, Mapping[str, Any]] | None, table: TablePlan, column: str) -> dict[str, Any]:
    report = (found or {}).get(table.name, {}).get(column)
    return {} if report is None else {"found": report}


def policy_facts(policy: Policy) -> dict[str, str]:
    """What a certificate says of the policy."""
    return {
        "policy": policy.path,
        "policy_digest": policy.digest,
        "epoch": policy.epoch,
        "default": policy.default.value,
    }


def place_of(certificate: str | Path | None) -> Path | None:
    """Where the certificate goes, if there is to be one. Raises UsageError where no file can be made there."""
    if certificate:
        require_place(Path(certificate))
    return Path(certificate) if certificate else None


def write_certificate(certificate: Certificate, path: Path, key: SigningKey | None = None) -> tuple[Path, ...]:
    """Write it as canonical JSON (RFC 8785) and as a page beside it, each complete or not at all; signed where there is a ``key``.

    Returns both paths; a ``path`` that ends in .html is the page's, and no other file is written.
    Raises DbmaskError where the disk does not take it.
    """
    try:
        return _write(certificate, path, key)
    except OSError as error:
        done = "both are compared" if certificate.job == "verify" else "what was masked is in place"
        raise DbmaskError(f"{done}, but the certificate {path} cannot be written: {_reason(error)}") from None


def _write(certificate: Certificate, path: Path, key: SigningKey | None) -> tuple[Path, ...]:
    document = signed(certificate.as_dict(), key)
    texts = {path.with_suffix(".html"): render(document)}
    if path.suffix.lower() not in (".html", ".htm"):
        texts = {path: canonical_json(document) + "\n", **texts}
    else:
        texts = {path: texts[path.with_suffix(".html")]}
    for place, text in texts.items():
        write_text(place, text)
    return tuple(texts)


def failed(error: CheckFailed, certificate: Certificate, path: Path | None, key: SigningKey | None) -> CheckFailed:
    """The error that a run ends with whose checks failed: a certificate that says which ones is there for an auditor.

    The error is as it was where no certificate was asked for, or where none of the certificate's checks is what failed.
    """
    if path is None or certificate.passed:
        return error
    said = "a check failed: what this certificate describes was not put in place, and what was there before stays"
    certificate = replace(certificate, warnings=(*certificate.warnings, said))
    try:
        _write(certificate, path, key)
    except OSError as problem:
        return CheckFailed(
            f"{error}\nThe certificate {path} that would say so cannot be written: {_reason(problem)}", error.checks
        )
    return CheckFailed(f"{error}\nCertificate, which says so: {path}", error.checks, path)


def _reason(error: OSError) -> str:
    return (error.strerror or "it could not be written").lower()


def now() -> str:
    """The time in UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
