"""What a run over a file is asked to do, and what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbmask.files.rules import Rule
from dbmask.keys import KeyRing
from dbmask.policy.model import Policy

__all__ = ["FileJob", "FileResult"]


@dataclass(frozen=True)
class FileJob:
    """What to do with which file. ``source`` and ``target`` are paths, or None for standard input and output.

    ``what`` is rules or a policy; ``table`` is the policy's table, by default called as the file. ``strict`` and
    ``allow_missing`` are for rules: fields without a rule are refused, rules without a field are let be.
    """

    what: Policy | Sequence[Rule]
    keys: KeyRing
    source: str | None = None
    target: str | None = None
    source_format: str | None = None
    target_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    limit: int | None = None
    strict: bool = False
    allow_missing: bool = False
    table: str | None = None


@dataclass(frozen=True)
class FileResult:
    """What a run did: how many rows, which fields passed without a rule, what was odd, and what masks of texts found, by column."""

    rows: int
    unruled: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
