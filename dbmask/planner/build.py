"""Policy + schema + capabilities -> plan."""

from __future__ import annotations

from collections.abc import Mapping

from dbmask.errors import Problem
from dbmask.keys import KeyRing
from dbmask.planner.binding import TableBinder
from dbmask.planner.checks import check_dropped, check_filled, check_keys, check_references
from dbmask.planner.model import Plan, Profile, TablePlan
from dbmask.policy.match import resolve
from dbmask.policy.model import Policy
from dbmask.schema import Schema, TableName
from dbmask.spi import Capabilities

__all__ = ["build_plan"]


def build_plan(
    policy: Policy,
    schema: Schema,
    capabilities: Capabilities,
    profile: Profile = Profile.CLONE,
    keys: KeyRing | None = None,
    unreadable: Mapping[TableName, str] | None = None,
) -> Plan:
    """Decide for every column which mask stands on it and where it runs; gather all problems.

    ``keys`` is the policy's own key ring where not given; ``unreadable`` says why tables cannot be read. A plan with
    problems is returned, not raised: see Plan.require.
    """
    from dbmask_sql.dialects import dialect

    resolution = resolve(policy, schema)
    ring = policy.keyring() if keys is None else keys
    binder = TableBinder(capabilities, profile, ring, dialect(capabilities.dialect))
    plans: dict[TableName, TablePlan] = {}
    for name, resolved in resolution.tables.items():
        plans[name] = binder.bind(resolved)
    problems = [*resolution.problems, *resolution.drift, *binder.problems]
    for name, plan in plans.items():
        problems += check_keys(plan)
        problems += check_dropped(plan)
        problems += check_filled(plan)
        problems += check_references(plan, resolution.tables[name], plans)
    problems += [Problem(str(name), f"cannot be read: {why}") for name, why in (unreadable or {}).items()]
    warnings = list(resolution.warnings)
    for plan in plans.values():
        warnings += [Problem(f"{plan.name}.{c.column.name}", w) for c in plan.columns for w in c.warnings]
    return Plan(schema, profile, plans, tuple(dict.fromkeys(problems)), tuple(warnings))
