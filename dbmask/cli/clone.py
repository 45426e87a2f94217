"""``dbmask clone``."""

from __future__ import annotations

import json
import sys

import click

from dbmask.cli.certificate import sign_option
from dbmask.cli.common import key_option, load_policy, policy_argument, source_option

__all__ = ["command"]


@click.command("clone")
@policy_argument
@source_option
@click.option("--target", required=True, metavar="URL", help="Where the replica appears when it is complete.")
@click.option("--overwrite", is_flag=True, help="Replace a target that is not empty.")
@click.option(
    "--certificate",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the run's certificate as JSON, and as a page (.html) beside it.",
)
@sign_option
@click.option(
    "--keep-previous",
    metavar="N",
    type=click.IntRange(min=0),
    help="How many replaced replicas stay for `dbmask rollback`; the policy's `keep_previous:` unless given, else 1.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--quiet", is_flag=True, help="Show no progress.")
@key_option
def command(
    policy: str,
    source: str,
    target: str,
    overwrite: bool,
    certificate: str | None,
    sign_with: str | None,
    keep_previous: int | None,
    form: str,
    quiet: bool,
    key_file: str | None,
) -> None:
    """Clone a database into a masked replica, which appears complete and verified or not at all."""
    from dbmask.cloner import clone
    from dbmask.cloner.progress import Quiet, reporter

    loaded, keys = load_policy(policy, key_file)
    show = Quiet() if quiet else reporter(sys.stderr)
    done = clone(
        loaded,
        source,
        target,
        overwrite=overwrite,
        certificate=certificate,
        sign_with=sign_with,
        keep_previous=keep_previous,
        keys=keys,
        show=show,
    )
    for warning in done.plan.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if form == "json":
        facts = {
            "tables": {str(n): {"rows": r, "seconds": round(done.seconds[n], 3)} for n, r in done.rows.items()},
            "certificate": str(done.certificate_path) if done.certificate_path else None,
            "passed": done.certificate.passed,
        }
        click.echo(json.dumps(facts, indent=2))
        return
    checks = done.certificate.checks
    click.echo(f"{len(done.rows)} tables, {sum(done.rows.values()):,} rows cloned; {len(checks)} checks passed.")
    for item in done.certificate.left_out:
        click.echo(f"Not in the replica: {item}")
    for item in done.certificate.not_looked_at:
        click.echo(f"Not looked at: {item}")
    if done.certificate_path:
        click.echo(f"Certificate: {done.certificate_path}")
