"""``dbmask schema``."""

from __future__ import annotations

import json

import click

__all__ = ["command"]


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of policies, for editors."""
    from dbmask.policy.jsonschema import policy_schema

    click.echo(json.dumps(policy_schema(), indent=2, ensure_ascii=False))
