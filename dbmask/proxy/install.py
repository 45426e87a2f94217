"""`dbmask install`: masked views, keys that only their owner can read, and a role that can read nothing else; `uninstall` undoes it.

Everything is made in one transaction, and made anew by the next run. What is there for one role (its class: one policy,
one set of views) stands apart from what is there for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dbmask.errors import CheckFailed, Problem, UsageError
from dbmask.keys import KeyRing
from dbmask.planner import Plan, Profile, build_plan
from dbmask.policy.model import Policy, TableMode
from dbmask.proxy.administer import administer, composed, one
from dbmask.proxy.catalog import VERSION
from dbmask.proxy.gaps import Gap, open_gaps, readable_beyond_views
from dbmask.proxy.install_harden import close_gaps, reopen
from dbmask.proxy.install_make import Maker
from dbmask.proxy.install_roles import (
    ensure_owner,
    ensure_role,
    owner_of,
    path_of,
    restore_path,
    set_password,
    set_path,
)
from dbmask.proxy.install_views import ViewWriter
from dbmask.proxy.side_tables import KEY, SideTable, fingerprint_key, side_tables
from dbmask.registry import connector_for

if TYPE_CHECKING:
    import psycopg

__all__ = ["Installed", "install", "uninstall", "view_plan"]

COMMENT = "dbmask keys and catalog"
"""The comment of schema dbmask, by which a source's own structure is told from what is installed in it."""


@dataclass(frozen=True)
class Installed:
    """What an install made: the views by their names, what has none and why, the gaps that are open, the side tables to be filled."""

    role: str
    made_role: bool
    owner: str
    search_path: tuple[str, ...]
    views: tuple[str, ...]
    warnings: tuple[Problem, ...]
    gaps: tuple[Gap, ...]
    sides: Mapping[str, str]
    generation: int


def view_plan(policy: Policy, source: str, keys: KeyRing) -> Plan:
    """The plan of a policy's masked views. Raises PlanError, ConnectorError and UsageError."""
    opened = connector_for(source).source(source)
    try:
        # Views read keys from a table, not from the session.
        able = replace(opened.capabilities, keys_in_session=True, keyed_why_not="")
        return build_plan(policy, opened.schema(), able, Profile.VIEW, keys).require()
    finally:
        opened.close()


def install(
    policy: Policy,
    source: str,
    role: str,
    *,
    keys: KeyRing | None = None,
    password: str | None = None,
    harden: bool = False,
    dry_run: bool = False,
) -> Installed:
    """Install the masked views of a policy for ``role`` in a PostgreSQL database, or renew what is there.

    ``password`` is given to the role where it is said; ``harden`` closes the gaps that PUBLIC's rights leave; with
    ``dry_run`` everything is made and rolled back, so that what would stand against it shows. Raises PlanError,
    UsageError (among them RoleError: the role may do more than a masked role may), CheckFailed (it could still, in spite
    of ``harden``) and ConnectorError; nothing is changed then.
    """
    if not 0 < len(role.encode()) <= 63:
        raise UsageError("a role's name is 1 to 63 bytes long")
    ring = policy.keyring() if keys is None else keys
    plan = view_plan(policy, source, ring)
    sides = side_tables(policy, plan, role, ring)
    with administer(source) as connection:
        done = _Installer(connection, policy, plan, role, ring, sides).run(password, harden)
        if dry_run:
            connection.rollback()
        return done


class _Installer:
    """One run of install, in one transaction."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        policy: Policy,
        plan: Plan,
        role: str,
        keys: KeyRing,
        sides: Mapping[Any, SideTable],
    ) -> None:
        self.connection = connection
        self.policy = policy
        self.plan = plan
        self.role = role
        self.keys = keys
        self.sides = sides
        self.owner = ""

    def run(self, password: str | None, harden: bool) -> Installed:
        c = self.connection
        self.owner = ensure_owner(c)
        _ensure_schema(c, self.owner)
        made = self._class()
        if password is not None:
            set_password(c, self.role, password)
        _drop_views(c, self.role)
        self._secrets()
        maker = Maker(c, self.plan, self.role, self.owner, ViewWriter(self.plan, self.role, self.sides), self.sides)
        maker.run()
        path = (*maker.schemas, "pg_catalog", *maker.extensions)
        set_path(c, self.role, path)
        generation = one(
            c,
            "UPDATE dbmask.class SET search_path = %s::text[], generation = "
            "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint WHERE role = %s RETURNING generation",
            list(path),
            self.role,
        )
        if harden:
            close_gaps(c, self.role, self.owner)
        self._require_views_alone(harden)
        warnings = (*self.plan.warnings, *self._row_security(), *maker.left_out)
        gaps = tuple(open_gaps(c, self.role))
        return Installed(
            self.role, made, self.owner, path, tuple(maker.made), warnings, gaps, maker.side_tables, generation
        )

    def _class(self) -> bool:
        """The role and its row; what a former run found of a role that existed stays known."""
        c = self.connection
        made, inherited = ensure_role(c, self.role)
        first = one(
            c,
            "INSERT INTO dbmask.class AS k (role, made, inherited, version, generation, policy, search_path, old_path) "
            "VALUES (%s, %s, %s, %s, 0, %s, '{}', %s) ON CONFLICT (role) DO UPDATE SET version = excluded.version, "
            "policy = excluded.policy, made = k.made OR excluded.made, inherited = k.inherited OR excluded.inherited "
            "RETURNING made",
            self.role,
            made,
            inherited,
            VERSION,
            self.policy.digest,
            path_of(c, self.role),
        )
        return bool(first)

    def _secrets(self) -> None:
        """The pads by COPY, whose data are in no statement log."""
        from dbmask_sql.keyref import key_names

        names = {n for t in self.plan for u in t.units if u.exprs for e in u.exprs for n in key_names(e)}
        pads = dict(self.keys.pads(sorted(names)))
        if self.sides:
            pads[KEY] = fingerprint_key(self.keys).pads
        c = self.connection
        c.execute("DELETE FROM dbmask.secrets WHERE role = %s", (self.role,))
        text = "COPY dbmask.secrets (role, name, inner_pad, outer_pad) FROM STDIN (FORMAT binary)"
        with c.cursor() as cursor, cursor.copy(text) as copy:
            copy.set_types(["name", "text", "bytea", "bytea"])
            for name, (inner, outer) in pads.items():
                copy.write_row((self.role, name, inner, outer))

    def _require_views_alone(self, hardened: bool) -> None:
        """After --harden the role reads its views and nothing else; anything else is an error, and nothing stays.

        The system's own views (planner statistics, which show a role what it may read) are a superuser's to close: where
        they stay open they are listed as gaps.
        """
        found = readable_beyond_views(self.connection, self.role) if hardened else []
        beyond = [name for name in found if not name.startswith("pg_catalog.")]
        if beyond:
            more = f" and {len(beyond) - 10} more" if len(beyond) > 10 else ""
            raise CheckFailed(f"role {self.role} could still use {', '.join(beyond[:10])}{more}; nothing was installed")

    def _row_security(self) -> list[Problem]:
        what = f"row security: its views show what its policies show to {self.owner}"
        return [
            Problem(str(t.name), what, f"make a policy for {self.owner}")
            for t in self.plan
            if t.table.row_security and t.mode in (TableMode.MASK, TableMode.KEEP)
        ]


def _ensure_schema(connection: psycopg.Connection[Any], owner: str) -> None:
    from dbmask_sql.packs import statement

    if owner_of(connection) is not None:
        version = one(connection, "SELECT to_regclass('dbmask.class')")
        if version is None:
            raise UsageError("schema dbmask exists and is none of dbmask's: rename it")
        found = one(connection, "SELECT max(version) FROM dbmask.class")
        if found not in (None, VERSION):
            raise UsageError(f"version {found} of dbmask is installed here: uninstall it first, with that version")
        return
    connection.execute(composed("CREATE SCHEMA dbmask AUTHORIZATION {}", owner))
    connection.execute(composed("SET LOCAL ROLE {}", owner))
    connection.execute(statement("postgres", "install_schema").encode())
    connection.execute("RESET ROLE")
    connection.execute(f"COMMENT ON SCHEMA dbmask IS '{COMMENT}'".encode())


def _drop_views(connection: psycopg.Connection[Any], role: str) -> None:
    """Drop a class's views and their schemas. What others built on them makes it fail, and is not dropped."""
    query = """
        SELECT n.nspname::text, c.relname::text FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'v'
        WHERE obj_description(n.oid, 'pg_namespace') = 'dbmask masked views for ' || %s
          AND n.nspowner = (SELECT nspowner FROM pg_namespace WHERE nspname = 'dbmask')
    """
    found = connection.execute(query, (role,)).fetchall()
    views = [(schema, name) for schema, name in found if name is not None]
    if views:
        connection.execute(composed(f"DROP VIEW {', '.join(['{}'] * len(views))}", *views))
    for schema in sorted({schema for schema, _ in found}):
        connection.execute(composed("DROP SCHEMA {}", schema))
    connection.execute("DELETE FROM dbmask.relation WHERE role = %s", (role,))


def uninstall(source: str, role: str) -> list[str]:
    """Remove what install made for ``role``, and with the last role everything. Returns what could not be given back.

    A role that existed before stays, with the rights that it had. Raises UsageError where nothing is installed for it,
    and ConnectorError.
    """
    with administer(source) as c:
        owner = owner_of(c)
        row = (
            c.execute("SELECT made, inherited FROM dbmask.class WHERE role = %s", (role,)).fetchone()
            if owner and one(c, "SELECT to_regclass('dbmask.class')")
            else None
        )
        if row is None or owner is None:
            raise UsageError(f"nothing is installed for role {role} in this database")
        _drop_views(c, role)
        for (name,) in c.execute("SELECT name::text FROM dbmask.side WHERE role = %s", (role,)).fetchall():
            c.execute(composed("DROP TABLE {}", ("dbmask", name)))
        gone = reopen(c, role)
        last = one(c, "SELECT count(*) FROM dbmask.class") == 1
        if last:
            gone += reopen(c, None)
        gone += _drop_role(c, role, made=row[0], inherited=row[1])
        if last:
            c.execute("DROP SCHEMA dbmask CASCADE")
            c.execute(composed("DROP OWNED BY {}", owner))
            if _elsewhere(c, owner):
                gone.append(f"role {owner} stays: other databases give it rights")
            else:
                c.execute(composed("DROP ROLE {}", owner))
        return gone


def _elsewhere(connection: psycopg.Connection[Any], role: str) -> bool:
    """Whether anything else depends on a role, in this database or in another."""
    query = """
        SELECT EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND
                       refobjid = (SELECT oid FROM pg_roles WHERE rolname = %s))
    """
    return bool(one(connection, query, role))


def _drop_role(connection: psycopg.Connection[Any], role: str, *, made: bool, inherited: bool) -> list[str]:
    query = "DELETE FROM dbmask.class WHERE role = %s RETURNING usage::text[], old_path"
    usage, path = connection.execute(query, (role,)).fetchone() or ([], None)
    if one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role) is None:
        return []
    restore_path(connection, role, path)
    connection.execute(composed("REVOKE ALL ON ALL TABLES IN SCHEMA dbmask FROM {}", role))
    connection.execute(composed("REVOKE ALL ON SCHEMA dbmask FROM {}", role))
    for schema in usage:
        connection.execute(composed("REVOKE USAGE ON SCHEMA {} FROM {}", schema, role))
    if inherited:
        connection.execute(composed("ALTER ROLE {} INHERIT", role))
    if made and _elsewhere(connection, role):
        return [f"role {role} stays: it has other rights"]
    if made:
        connection.execute(composed("DROP ROLE {}", role))
    return []
