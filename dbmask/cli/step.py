"""What ``dbmask mask --step`` does."""

from __future__ import annotations

import click

from dbmask.cli.common import run_keys

__all__ = ["mask_by_step"]


def mask_by_step(
    step: str,
    source: str,
    output: str,
    *,
    key_file: str | None = None,
    name_lookup: str | None = None,
    delimiter: str = ",",
    limit: int | None = None,
) -> None:
    """Run the anonymizer step of an XML file over a CSV file; say how many rows there were and how often each flag was set."""
    from dbmask.anonymizer.step import run_step

    result = run_step(
        step, source, output, run_keys(key_file), name_lookup=name_lookup, delimiter=delimiter, limit=limit
    )
    for flag, count in sorted(result.flags.items()):
        click.echo(f"{flag}: {count:,} {'row' if count == 1 else 'rows'}", err=True)
    click.echo(f"{result.rows:,} rows masked into {output}")
