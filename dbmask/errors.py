"""Every error that dbmask raises on purpose, in one tree.

    DbmaskError                  exit 1
    |-- UsageError               exit 2   the command line or a call is wrong
    |   |-- KeySourceError            exit 2   no key, or one that cannot be used
    |   |-- PolicyError          exit 2   the policy is wrong; carries every problem found
    |   `-- PlanError            exit 2   policy and schema do not fit; carries every problem found
    |-- MaskError                exit 1   a value could not be masked
    |-- ConnectorError           exit 1   a database refused or went away
    |   `-- SnapshotGone         exit 1   the snapshot to be read is held by nobody any more
    `-- CheckFailed              exit 3   a check found something

A message says what is wrong, where, and what to do. It never holds a raw value or a key. Errors of drivers
are turned into these without being chained, because drivers quote data in their messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

__all__ = [
    "BindError",
    "CheckFailed",
    "ConnectorError",
    "DbmaskError",
    "KeySourceError",
    "MaskError",
    "PlanError",
    "PolicyError",
    "Problem",
    "SnapshotGone",
    "UsageError",
]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: ``where`` (file:line or table.column), ``what``, and ``hint`` (what to do)."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text


class DbmaskError(Exception):
    """The root of the tree; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(DbmaskError):
    """A command line or a call that cannot be carried out as it stands."""

    exit_code = 2


class KeySourceError(UsageError):
    """No masking key was given, or the one given cannot be used."""


class ProblemsError(UsageError):
    """An error that reports all problems of its kind together."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class PolicyError(ProblemsError):
    """The policy file is wrong; ``problems`` names each place."""


class PlanError(ProblemsError):
    """Policy and schema do not fit; ``problems`` names each column."""


class BindError(UsageError):
    """A mask cannot stand on the column it was given; the planner turns it into a problem of its plan."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
        super().__init__(f"{what} ({hint})" if hint else what)


class MaskError(DbmaskError):
    """A value could not be masked; says table, column and mask, never the value."""


class ConnectorError(DbmaskError):
    """A database refused a statement or went away."""


class SnapshotGone(ConnectorError):
    """The snapshot to be read is held by nobody any more."""


class CannotShare(ConnectorError):
    """Several sessions cannot read one snapshot; says why."""


class CheckFailed(DbmaskError):
    """A check found something: drift, a threshold missed, a verification that failed.

    ``checks`` are (what was checked, what was found) of those that failed; ``certificate`` is the file that says so.
    """

    exit_code = 3

    def __init__(
        self, message: str, checks: Sequence[tuple[str, str]] = (), certificate: str | PathLike[str] | None = None
    ) -> None:
        super().__init__(message)
        self.checks = tuple(checks)
        self.certificate = certificate
