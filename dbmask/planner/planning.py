"""Planning against a database, or a schema at hand."""

from __future__ import annotations

from contextlib import closing

from dbmask.keys import KeyRing
from dbmask.planner.build import build_plan
from dbmask.planner.model import Plan, Profile
from dbmask.planner.targets import check_structure, check_target
from dbmask.planner.tries import try_constraints
from dbmask.policy.model import Policy, TableMode
from dbmask.registry import connector_for
from dbmask.schema import Schema
from dbmask.spi import Capabilities, Source

__all__ = ["plan", "plan_source"]


def plan(
    policy: Policy,
    source: str | None = None,
    *,
    target: str | None = None,
    overwrite: bool = False,
    schema: Schema | None = None,
    capabilities: Capabilities | None = None,
    profile: Profile | str = Profile.CLONE,
    keys: KeyRing | None = None,
) -> Plan:
    """Plan a policy against a database (``source``, a URL) or against a ``schema`` at hand with its ``capabilities``.

    With ``target`` (a URL) the other end is looked at as well. Returns a plan even where it has problems (see
    Plan.require). Raises UsageError for an unknown URL and for a target that a clone could not write to,
    ConnectorError where a database cannot be reached or read.
    """
    if source is not None:
        with closing(connector_for(source).source(source)) as opened:
            made = plan_source(policy, opened, Profile(profile), keys)
            if made.profile is Profile.CLONE:
                made = check_structure(made, opened, policy)
            if target is not None:
                with closing(connector_for(target).target(target)) as other:
                    check_target(opened, other, overwrite)
            return made
    if schema is None:
        raise TypeError("plan() needs a source URL or a schema")
    return build_plan(policy, schema, capabilities or Capabilities(schema.dialect), Profile(profile), keys)


def plan_source(policy: Policy, source: Source, profile: Profile = Profile.CLONE, keys: KeyRing | None = None) -> Plan:
    """Plan a policy against an open source: privileges are looked at, constraints are tried on masked rows."""
    ring = policy.keyring() if keys is None else keys
    schema = source.schema()
    made = build_plan(policy, schema, source.capabilities, profile, ring, {})
    unreadable = source.privileges([t.name for t in made if t.mode in (TableMode.MASK, TableMode.KEEP)])
    if unreadable:
        return build_plan(policy, schema, source.capabilities, profile, ring, unreadable)
    return made if made.problems else try_constraints(made, source, ring)
