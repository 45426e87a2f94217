"""``dbmask mask``."""

from __future__ import annotations

import click

from dbmask.cli.common import key_option
from dbmask.cli.step import mask_by_step

__all__ = ["command"]


@click.command("mask")
@click.option("--step", required=True, metavar="FILE", help="An anonymizer step as XML, read as it is.")
@click.option("--input", "source", required=True, metavar="FILE", help="CSV in UTF-8 with a header.")
@click.option("--output", required=True, metavar="FILE", help="Where the masked rows go; complete or not at all.")
@click.option(
    "--name-lookup", metavar="FILE", help="CSV of name and replacement, or builtin:cs, in place of the step's."
)
@click.option("--delimiter", default=",", show_default=True, help="What stands between fields.")
@click.option("--limit", type=click.IntRange(min=0), help="Mask the first rows only.")
@key_option
def command(
    step: str,
    source: str,
    output: str,
    name_lookup: str | None,
    delimiter: str,
    limit: int | None,
    key_file: str | None,
) -> None:
    """Mask a file: birth dates, birth numbers and names by an anonymizer step, with its score and explanation columns."""
    mask_by_step(step, source, output, key_file=key_file, name_lookup=name_lookup, delimiter=delimiter, limit=limit)
