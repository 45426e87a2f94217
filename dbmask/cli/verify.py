"""``dbmask verify``."""

from __future__ import annotations

import json
import sys

import click

from dbmask.cli.certificate import sign_option
from dbmask.cli.common import (
    certificate_option,
    database_url,
    format_option,
    key_option,
    load_policy,
    policy_argument,
    quiet_option,
    source_option,
    subset_options,
)

__all__ = ["command"]


@click.command("verify")
@policy_argument
@source_option
@click.option(
    "--target",
    required=True,
    type=database_url,
    metavar="URL",
    help="The replica that is there already; it is only read.",
)
@certificate_option("Write what was found as JSON, and as a page (.html) beside it.")
@sign_option
@subset_options
@format_option
@quiet_option
@key_option
def command(
    policy: str,
    source: str,
    target: str,
    certificate: str | None,
    sign_with: str | None,
    share: str | None,
    max_rows: int | None,
    form: str,
    quiet: bool,
    key_file: str | None,
) -> None:
    """Compare a replica with its source: structure, rows, keys, values that stayed equal, source values anywhere in it.

    Exit 3 where a check fails. A source that has changed since shows as rows that differ.
    """
    from dbmask.cloner import verify_replica
    from dbmask.cloner.progress import Quiet, reporter
    from dbmask.errors import CheckFailed

    loaded, keys = load_policy(policy, key_file)
    show = Quiet() if quiet else reporter(sys.stderr)
    done = verify_replica(
        loaded,
        source,
        target,
        certificate=certificate,
        sign_with=sign_with,
        keys=keys,
        show=show,
        share=share,
        max_rows=max_rows,
    )
    failed = [f"{c.subject}: {c.found}" for c in done.checks if not c.passed]
    if form == "json":
        click.echo(json.dumps(done.as_dict(), indent=2, default=str))
    else:
        click.echo(f"{len(done.checks) - len(failed)} of {len(done.checks)} checks passed.")
        for item in done.not_looked_at:
            click.echo(f"Not looked at: {item}")
    if failed:
        raise CheckFailed("verification failed:\n" + "\n".join(failed))
