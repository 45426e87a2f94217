"""The section ``jobs:``: which replicas are kept fresh, from where, when and how."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dbmask.errors import UsageError
from dbmask.policy.document import Document
from dbmask.policy.names import check_table_name, is_pattern, table_glob
from dbmask.schema import TableName

__all__ = ["Job", "Notify", "TableRefresh", "check_jobs", "jobs_of", "jobs_schema", "secret"]

Mode = Literal["full", "append", "watermark", "diff"]
_STRICT = ConfigDict(frozen=True, extra="forbid")


class TableRefresh(BaseModel):
    """How one table is brought up to date."""

    model_config = _STRICT

    mode: Mode = Field(
        description="full: read whole; append: rows above the highest value; watermark: rows changed since; diff."
    )
    column: str | None = Field(
        default=None, min_length=1, description="The column that only grows (append, watermark)."
    )
    deletes: Literal["key_scan", "none"] | None = Field(
        default=None, description="How rows that are gone are found (watermark)."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        grows = self.mode in ("append", "watermark")
        if grows and self.column is None:
            raise ValueError(f"mode {self.mode} needs `column:`")
        if not grows and self.column is not None:
            raise ValueError(f"`column:` does nothing where `mode: {self.mode}` stands")
        if self.deletes is not None and self.mode != "watermark":
            raise ValueError(f"`deletes:` does nothing where `mode: {self.mode}` stands")
        return self


class Notify(BaseModel):
    """Who is told how a run ended."""

    model_config = _STRICT

    webhook: str = Field(
        min_length=1, description="Where a JSON report is sent: env:NAME, file:PATH or the URL itself."
    )
    on: Literal["always", "failure"] = Field(default="always", description="Whether success is told too.")


class Job(BaseModel):
    """One refresh job."""

    model_config = _STRICT

    source: str = Field(
        min_length=1, description="The database to read: env:NAME, file:PATH, or a URL without a password."
    )
    target: str = Field(
        min_length=1, description="Where the replica is: env:NAME, file:PATH, or a URL without a password."
    )
    schedule: str | None = Field(
        default=None, description="When `dbmask refresh --daemon` runs it: five fields as in cron."
    )
    timezone: str = Field(default="UTC", description="The time zone of the schedule, such as Europe/Prague.")
    tables: dict[str, TableRefresh] = Field(
        default_factory=dict, description="By table, or pattern; what is not named is chosen, with a reason."
    )
    keep_previous: int | None = Field(
        default=None, ge=0, description="How many replicas that a full clone replaced are kept."
    )
    on_drift: Literal["fail"] = Field(
        default="fail", description="New columns and tables stop the job before anything is touched."
    )
    on_local_change: Literal["overwrite", "fail"] = Field(
        default="overwrite", description="What happens where somebody else wrote to the replica."
    )
    side_tables: str | None = Field(
        default=None, min_length=1, description="The proxy's role whose side tables are kept fresh."
    )
    certificate: str | None = Field(
        default=None,
        min_length=1,
        description="Where each run's certificate is written, relative to the policy; {run} is the run's number.",
    )
    sign_with: str | None = Field(
        default=None, min_length=1, description="The file of the private key that signs certificates."
    )
    notify: Notify | None = None

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        from datetime import UTC, datetime

        from cronsim import CronSim, CronSimError

        if value is not None:
            try:
                next(CronSim(value, datetime(2024, 1, 1, tzinfo=UTC)))
            except (CronSimError, StopIteration):
                raise ValueError("is no schedule: five fields as in cron, such as `0 2 * * *`") from None
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except (OSError, ValueError, LookupError):
            raise ValueError("is no time zone, such as Europe/Prague") from None
        return value

    @field_validator("source", "target")
    @classmethod
    def _no_password(cls, value: str) -> str:
        try:
            password = urlsplit(value).password
        except ValueError:
            raise ValueError("is no URL") from None
        if password:
            raise ValueError("holds a password, which does not belong into a policy: name it by env:NAME or file:PATH")
        return value

    @field_validator("tables")
    @classmethod
    def _names(cls, value: dict[str, TableRefresh]) -> dict[str, TableRefresh]:
        for name in value:
            check_table_name(name)
        return value

    def rule(self, table: TableName, default_schema: str) -> TableRefresh | None:
        """What is said of a table: by its exact name, else by the most particular pattern; None where nothing is."""
        found: list[tuple[int, TableRefresh]] = []
        for name, rule in self.tables.items():
            if is_pattern(name):
                if name == "*" or table_glob(name, default_schema)(table):
                    found.append((len(name), rule))
            elif TableName.parse(name, default_schema) == table:
                return rule
        return max(found, key=lambda f: f[0])[1] if found else None


def check_jobs(document: Document, section: Any) -> None:
    """Note in the document what is wrong with its ``jobs:``."""
    if section is None:
        return
    if not isinstance(section, dict):
        document.fail(("jobs",), "`jobs:` must be a mapping of names to jobs")
        return
    for name, body in section.items():
        try:
            Job.model_validate(body)
        except ValidationError as error:
            for one in error.errors(include_input=False, include_url=False):
                place = ("jobs", name, *one["loc"])
                document.fail(place, f"job {name}: {_said(one)}")


def _said(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    text = {"extra_forbidden": "unknown key", "missing": "is missing"}.get(error["type"], error["msg"])
    return f"{where}: {text.removeprefix('Value error, ')}" if where else text


def jobs_of(sections: Mapping[str, Any]) -> dict[str, Job]:
    """The jobs of a loaded policy's sections, by name."""
    return {str(name): Job.model_validate(body) for name, body in (sections.get("jobs") or {}).items()}


def jobs_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """JSON Schema of the section, and the definitions that it refers to."""
    made = Job.model_json_schema(ref_template="#/$defs/jobs.{model}")
    definitions = {f"jobs.{name}": part for name, part in made.pop("$defs", {}).items()}
    return {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/jobs.Job"}}, {
        **definitions,
        "jobs.Job": made,
    }


def secret(text: str, what: str, folder: str = "") -> str:
    """What ``env:NAME`` or ``file:PATH`` (relative to the policy's folder) stands for; other texts are themselves.

    Raises UsageError where there is nothing, without repeating what was found.
    """
    kind, _, rest = text.partition(":")
    if kind == "env":
        if not os.environ.get(rest):
            raise UsageError(f"{what}: the environment variable {rest} is not set")
        return os.environ[rest]
    if kind == "file":
        try:
            return (Path(folder) / Path(rest).expanduser()).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UsageError(f"{what}: the file {rest} cannot be read: {why}") from None
    return text
