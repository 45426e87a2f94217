"""``--harden``: what PUBLIC may do is given to the roles that are there, and to nobody that comes later; and back again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dbmask.proxy.gaps import Gap, open_gaps

if TYPE_CHECKING:
    import psycopg

__all__ = ["close_gaps", "reopen"]

# An object's ACL by its text: kind -> (query, letter of acldefault). Columns' ACLs are looked at apart.
_ACL = {
    "DATABASE": "SELECT coalesce(datacl, acldefault('d', datdba)) FROM pg_database WHERE quote_ident(datname) = %s",
    "SCHEMA": "SELECT coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE quote_ident(nspname) = %s",
    "ROUTINE": "SELECT coalesce(proacl, acldefault('f', proowner)) FROM pg_proc WHERE oid = %s::regprocedure",
    "TABLE": "SELECT coalesce(relacl, acldefault('r', relowner)) FROM pg_class WHERE oid = %s::regclass",
    "SEQUENCE": "SELECT coalesce(relacl, acldefault('s', relowner)) FROM pg_class WHERE oid = %s::regclass",
    "LARGE OBJECT": "SELECT coalesce(lomacl, acldefault('L', lomowner)) FROM pg_largeobject_metadata WHERE oid = %s::oid",
    "FOREIGN SERVER": "SELECT coalesce(srvacl, acldefault('S', srvowner)) FROM pg_foreign_server WHERE quote_ident(srvname) = %s",
    "FOREIGN DATA WRAPPER": (
        "SELECT coalesce(fdwacl, acldefault('F', fdwowner)) FROM pg_foreign_data_wrapper WHERE quote_ident(fdwname) = %s"
    ),
    "PARAMETER": "SELECT paracl FROM pg_parameter_acl WHERE parname = %s",
}
_COLUMNS = """
SELECT DISTINCT quote_ident(a.attname) FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) x
LEFT JOIN pg_roles r ON r.oid = x.grantee
WHERE a.attrelid = %s::regclass AND x.privilege_type = %s AND (x.grantee = 0 AND %s::name IS NULL OR r.rolname = %s)
ORDER BY 1
"""
# Superusers need no grant; masked roles and the owner are to have none.
_OTHERS = """
SELECT rolname::text FROM pg_roles
WHERE NOT rolsuper AND rolname !~ '^pg_' AND rolname <> ALL (%s::name[])
ORDER BY 1
"""


def close_gaps(connection: psycopg.Connection[Any], role: str, owner: str) -> None:
    """Close every gap of ``role`` that is a right of PUBLIC's or of the role's own, and record it in dbmask.rights.

    What PUBLIC loses, the roles that exist get by name, but for masked roles.
    """
    masked = [r[0] for r in connection.execute("SELECT role::text FROM dbmask.class")]
    others = [r[0] for r in connection.execute(_OTHERS.encode(), ([*masked, owner],))]
    for gap in open_gaps(connection, role):
        if gap.kind not in _ACL:
            continue
        for privilege, from_role in list(_held(connection, gap, role)):
            _take(connection, gap, privilege, role if from_role else None, others)


def _held(connection: psycopg.Connection[Any], gap: Gap, role: str) -> Iterator[tuple[str, bool]]:
    """The privileges behind a gap as GRANT writes them, columns too; whether each is the role's own."""
    for own in (False, True):
        names = _grantees(connection, gap)
        if (role if own else "") in names:
            yield gap.privilege, own
        if gap.kind == "TABLE":
            who = role if own else None
            columns = [r[0] for r in connection.execute(_COLUMNS.encode(), (gap.object, gap.privilege, who, who))]
            if columns:
                yield f"{gap.privilege} ({', '.join(columns)})", own


def _grantees(connection: psycopg.Connection[Any], gap: Gap) -> set[str]:
    """Who holds the gap's privilege by name; "" is PUBLIC."""
    query = f"""
        SELECT coalesce(r.rolname::text, '') FROM ({_ACL[gap.kind]}) AS a (acl) CROSS JOIN LATERAL aclexplode(a.acl) x
        LEFT JOIN pg_roles r ON r.oid = x.grantee WHERE x.privilege_type = %s
    """  # noqa: S608 - the texts are this module's
    return {r[0] for r in connection.execute(query.encode(), (gap.object, gap.privilege))}


def _take(
    connection: psycopg.Connection[Any], gap: Gap, privilege: str, role: str | None, others: Iterable[str]
) -> None:
    have = _grantees(connection, gap)
    regranted = [] if role is not None else [o for o in others if o not in have]
    _change(connection, "REVOKE", privilege, gap.kind, gap.object, [role])
    if "(" not in privilege and (role or "") in _grantees(connection, gap):
        return  # not this user's to take: it stays a gap
    if regranted:
        _change(connection, "GRANT", privilege, gap.kind, gap.object, regranted)
    connection.execute(
        "INSERT INTO dbmask.rights (kind, object, privilege, role, regranted) VALUES (%s, %s, %s, %s, %s::name[])",
        (gap.kind, gap.object, privilege, role, regranted),
    )


def reopen(connection: psycopg.Connection[Any], role: str | None) -> list[str]:
    """Give back what was taken: the role's own rights, or PUBLIC's where ``role`` is None. Returns what is no longer there."""
    gone = []
    query = (
        "SELECT number, kind, object, privilege, regranted::text[] FROM dbmask.rights "
        "WHERE role IS NOT DISTINCT FROM %s ORDER BY number DESC"
    )
    there = {r[0] for r in connection.execute("SELECT rolname::text FROM pg_roles")}
    for number, kind, target, privilege, regranted in connection.execute(query, (role,)).fetchall():
        if not _exists(connection, kind, target):
            gone.append(f"{privilege} on {target}, which is no longer there")
        else:
            _change(connection, "GRANT", privilege, kind, target, [role])
            still = [r for r in regranted if r in there]
            if still:
                _change(connection, "REVOKE", privilege, kind, target, still)
        connection.execute("DELETE FROM dbmask.rights WHERE number = %s", (number,))
    return gone


def _exists(connection: psycopg.Connection[Any], kind: str, target: str) -> bool:
    from psycopg import errors

    try:
        with connection.transaction():
            return connection.execute(_ACL[kind].encode(), (target,)).fetchone() is not None
    except (errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedObject, errors.InvalidSchemaName):
        return False


def _change(
    connection: psycopg.Connection[Any], verb: str, privilege: str, kind: str, target: str, roles: Iterable[str | None]
) -> None:
    """GRANT or REVOKE; ``target`` is quoted as in SQL, None among ``roles`` is PUBLIC."""
    from psycopg import sql

    names = sql.SQL(", ").join(sql.SQL("PUBLIC") if r is None else sql.Identifier(r) for r in roles)
    on = "" if kind == "TABLE" else f"{kind} "
    word = "TO" if verb == "GRANT" else "FROM"
    text = f"{verb} {privilege} ON {on}{target} {word} "
    connection.execute(sql.SQL(text) + names)
