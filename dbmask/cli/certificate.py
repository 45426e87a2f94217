"""``dbmask certificate``: keys that sign certificates, and the check of one."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command", "sign_option"]

sign_option = click.option(
    "--sign-with",
    metavar="FILE",
    envvar="DBMASK_SIGNING_KEY",
    type=click.Path(dir_okay=False),
    help="The private key that signs the certificate (`dbmask certificate key` makes it); also DBMASK_SIGNING_KEY.",
)


@click.group("certificate")
def command() -> None:
    """Make keys that sign certificates; check one that somebody gave you."""


@command.command("key")
@click.option(
    "-o",
    "--output",
    default="certificate",
    show_default=True,
    metavar="NAME",
    help="Writes NAME.key, which signs, and NAME.pub, which checks.",
)
def key(output: str) -> None:
    """Make an Ed25519 key pair. Keep the .key file secret; give the .pub file to whoever checks certificates."""
    from dbmask.cloner.signing import new_pair

    private, public = Path(f"{output}.key"), Path(f"{output}.pub")
    made = new_pair(private, public)
    click.echo(f"{private} signs, {public} checks; fingerprint {made.fingerprint}")


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--public-key", required=True, metavar="FILE", help="The public key of who made the certificate.")
def verify(file: str, public_key: str) -> None:
    """Check a certificate's signature and say its verdict; a page (.html) must show what was signed.

    Exit 3 where the signature does not hold, or where a check of the run failed. The masking key is not needed.
    """
    from dbmask.cloner.audit import audit
    from dbmask.errors import CheckFailed

    found = audit(Path(file), Path(public_key))
    click.echo(f"The signature holds (key {found.fingerprint}); the certificate is as it was made on {found.finished}.")
    click.echo(f"{found.source} -> {found.target}; policy {found.policy_digest}")
    for note in found.notes:
        click.echo(f"Note: {note}", err=True)
    for item in found.not_looked_at:
        click.echo(f"Not looked at: {item}")
    if found.failed:
        raise CheckFailed("the certificate says that checks failed:\n" + "\n".join(found.failed))
    click.echo(f"{found.checks} checks passed.")
