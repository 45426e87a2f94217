"""What was found, as commands say it: by masks of texts, by checks that failed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from dbmask.errors import CheckFailed

if TYPE_CHECKING:
    from dbmask.cloner import CloneResult

__all__ = ["failed_as", "say_rest", "say_texts", "texts_in"]

_SHOWN = 5


def texts_in(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What text masks found, by column, of a certificate's tables."""
    return {
        f"{table['table']}.{column['column']}": column["found"]
        for table in tables
        for column in table["columns"]
        if "found" in column
    }


def say_texts(texts: Mapping[str, Any], *, err: bool = False) -> None:
    """A line for each column, and the first rows in which nothing was found; no text."""
    for column, found in texts.items():
        by = ", ".join(f"{s['label']} by {s['matcher']}: {s['count']:,}" for s in found["spans"]) or "nothing found"
        click.echo(f"{column}: {found['texts']:,} texts, {by}", err=err)
        for why, count in found["replaced"].items():
            click.echo(f"{column}: {count:,} texts replaced whole: {why}", err=err)
        if found["without_findings"]:
            shown = ", ".join(found["rows_without_findings"][:_SHOWN])
            more = " ..." if found["without_findings"] > _SHOWN else ""
            click.echo(f"{column}: nothing was found in {found['without_findings']:,} texts: {shown}{more}", err=err)


def say_rest(done: CloneResult, lost: str) -> None:
    """What did not arrive, behind the word ``lost``; what was not looked at; where the certificate is."""
    for item in done.certificate.left_out:
        click.echo(f"{lost}: {item}")
    for item in done.certificate.not_looked_at:
        click.echo(f"Not looked at: {item}")
    if done.certificate_path:
        click.echo(f"Certificate: {done.certificate_path}")


@contextlib.contextmanager
def failed_as(form: str) -> Iterator[None]:
    """Where ``form`` is "json", print the checks that failed as JSON too, before the error is told."""
    try:
        yield
    except CheckFailed as error:
        if form == "json":
            facts = {
                "certificate": str(error.certificate) if error.certificate else None,
                "passed": False,
                "failed": [{"subject": subject, "found": found} for subject, found in error.checks],
            }
            click.echo(json.dumps(facts, indent=2))
        raise
