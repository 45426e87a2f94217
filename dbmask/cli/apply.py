"""``dbmask apply``."""

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
    state_option,
    state_url,
)
from dbmask.cli.found import failed_as, say_rest, say_texts, texts_in

__all__ = ["command"]


@click.command("apply")
@policy_argument
@click.option("--target", required=True, type=database_url, metavar="URL", help="The copy that is to be masked.")
@click.option(
    "--database", required=True, metavar="NAME", help="Its name once more: what it holds now is gone afterwards."
)
@certificate_option("Write the run's certificate as JSON, and as a page (.html) beside it.")
@sign_option
@state_option
@format_option
@quiet_option
@key_option
def command(
    policy: str,
    target: str,
    database: str,
    certificate: str | None,
    sign_with: str | None,
    state: str | None,
    form: str,
    quiet: bool,
    key_file: str | None,
) -> None:
    """Mask a database that is already a copy, in its place: its tables are rewritten, all of them or none.

    A database that runs or jobs have for their source is refused.
    """
    from dbmask.cloner import apply
    from dbmask.cloner.progress import Quiet, reporter

    loaded, keys = load_policy(policy, key_file)
    with failed_as(form):
        done = apply(
            loaded,
            target,
            database,
            certificate=certificate,
            sign_with=sign_with,
            keys=keys,
            show=Quiet() if quiet else reporter(sys.stderr),
            state=state_url(state),
        )
    for warning in done.plan.warnings:
        click.echo(f"Warning: {warning}", err=True)
    texts = texts_in(done.certificate.tables)
    if form == "json":
        facts = {
            "tables": {str(n): {"rows": r, "seconds": round(done.seconds[n], 3)} for n, r in done.rows.items()},
            "certificate": str(done.certificate_path) if done.certificate_path else None,
            "passed": done.certificate.passed,
            **({"texts": texts} if texts else {}),
        }
        click.echo(json.dumps(facts, indent=2))
        return
    count = len(done.certificate.checks)
    click.echo(f"{len(done.rows)} tables, {sum(done.rows.values()):,} rows rewritten; {count} checks passed.")
    say_texts(texts)
    say_rest(done, "Lost")
