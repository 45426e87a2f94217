"""What masks of texts found, as commands say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

__all__ = ["say_texts"]

_SHOWN = 5


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
