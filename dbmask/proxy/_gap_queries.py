"""The catalog queries behind the gaps. Each gives (kind, object, privilege); names are quoted as in SQL.

What the system itself brings has an OID below 16384; of that, only what its makers did not give to PUBLIC counts.
Privileges are tried by name for the role, so that PUBLIC's rights, the role's own and inherited ones all show.
"""

from __future__ import annotations

__all__ = ["BEYOND", "GAPS"]

_ROUTINE = """
pg_catalog.format('%%I.%%I(%%s)', n.nspname, p.proname, (
  SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('%%I.%%I', tn.nspname, t.typname), ', ' ORDER BY a.i), '')
  FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, i)
  JOIN pg_catalog.pg_type t ON t.oid = a.type JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace))
"""

_ATTRIBUTES = """
SELECT 'ATTRIBUTE', v.word, '' FROM pg_catalog.pg_roles r CROSS JOIN LATERAL (VALUES
  (r.rolsuper, 'SUPERUSER'), (r.rolcreaterole, 'CREATEROLE'), (r.rolcreatedb, 'CREATEDB'),
  (r.rolreplication, 'REPLICATION'), (r.rolbypassrls, 'BYPASSRLS'), (r.rolinherit, 'INHERIT')) AS v (held, word)
WHERE r.rolname = %(role)s AND v.held
"""

_MEMBERS = """
SELECT 'MEMBER', pg_catalog.quote_ident(g.rolname), ''
FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles r ON r.oid = m.member AND r.rolname = %(role)s
JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
ORDER BY 2
"""

_OWNED = (
    """
SELECT 'OWNER', o.name, o.word FROM (
  SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname),
         CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                        WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.relowner
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
  UNION ALL SELECT pg_catalog.quote_ident(nspname), 'SCHEMA', nspowner FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT pg_catalog.quote_ident(datname), 'DATABASE', datdba FROM pg_catalog.pg_database
    WHERE datname = pg_catalog.current_database()
  UNION ALL SELECT """
    + _ROUTINE
    + """, 'ROUTINE', p.proowner
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
) AS o (name, word, owner)
JOIN pg_catalog.pg_roles r ON r.oid = o.owner AND r.rolname = %(role)s
ORDER BY 2
"""
)

_DATABASE = """
SELECT 'DATABASE', pg_catalog.quote_ident(pg_catalog.current_database()), v.privilege
FROM (VALUES ('TEMPORARY'), ('CREATE')) AS v (privilege)
WHERE pg_catalog.has_database_privilege(%(role)s, pg_catalog.current_database(), v.privilege)
"""

_SCHEMAS = """
SELECT 'SCHEMA', pg_catalog.quote_ident(n.nspname), 'CREATE' FROM pg_catalog.pg_namespace n
WHERE pg_catalog.has_schema_privilege(%(role)s, n.oid, 'CREATE') AND n.nspname !~ '^pg_(toast_)?temp_'
ORDER BY 2
"""

# Triggers' and the system's internal functions cannot be called from SQL.
_ROUTINES = (
    """
SELECT CASE WHEN p.prosecdef THEN 'DEFINER' ELSE 'ROUTINE' END, """
    + _ROUTINE
    + """, 'EXECUTE'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384 AND pg_catalog.has_function_privilege(%(role)s, p.oid, 'EXECUTE')
  AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
  AND NOT 'pg_catalog.internal'::pg_catalog.regtype = ANY (p.proargtypes::oid[])
  AND (p.prosecdef OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
      AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = ANY (%(safe)s::name[])))
ORDER BY p.prosecdef DESC, 2
"""
)

# Functions that the system keeps from PUBLIC (files, logs, replication), and those that show what other sessions run.
_SYSTEM_ROUTINES = (
    """
SELECT 'ROUTINE', """
    + _ROUTINE
    + """, 'EXECUTE'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid < 16384 AND pg_catalog.has_function_privilege(%(role)s, p.oid, 'EXECUTE')
  AND (p.proname IN ('pg_stat_get_activity', 'pg_stat_get_backend_activity') OR EXISTS (
    SELECT FROM pg_catalog.pg_init_privs i
    WHERE i.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND i.objoid = p.oid
      AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(i.initprivs) x WHERE x.grantee = 0)))
ORDER BY 2
"""
)

_LARGE_OBJECTS = """
SELECT 'LARGE OBJECT', o.oid::text, x.privilege_type
FROM pg_catalog.pg_largeobject_metadata o CROSS JOIN LATERAL pg_catalog.aclexplode(o.lomacl) x
LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
WHERE x.grantee = 0 OR r.rolname = %(role)s
ORDER BY o.oid
"""

_FOREIGN = """
SELECT 'FOREIGN SERVER', pg_catalog.quote_ident(srvname), 'USAGE' FROM pg_catalog.pg_foreign_server
WHERE pg_catalog.has_server_privilege(%(role)s, oid, 'USAGE')
UNION ALL
SELECT 'FOREIGN DATA WRAPPER', pg_catalog.quote_ident(fdwname), 'USAGE' FROM pg_catalog.pg_foreign_data_wrapper
WHERE pg_catalog.has_foreign_data_wrapper_privilege(%(role)s, oid, 'USAGE')
ORDER BY 1, 2
"""

_PARAMETERS = """
SELECT 'PARAMETER', p.parname, v.privilege
FROM pg_catalog.pg_parameter_acl p CROSS JOIN (VALUES ('SET'), ('ALTER SYSTEM')) AS v (privilege)
WHERE pg_catalog.has_parameter_privilege(%(role)s, p.parname, v.privilege)
ORDER BY p.parname
"""

# The views of planner statistics show a role only what it may read; it needs none of them.
_OWN_VIEWS = """
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'dbmask' AND c.relname IN ('relations', 'installation') AND c.relkind = 'v'
UNION ALL
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
JOIN pg_catalog.pg_namespace home ON home.nspname = 'dbmask' AND home.nspowner = n.nspowner AND home.nspowner = c.relowner
WHERE c.relkind = 'v' AND pg_catalog.obj_description(n.oid, 'pg_namespace') = 'dbmask masked views for ' || %(role)s
"""

BEYOND = (
    """
WITH own AS ("""
    + _OWN_VIEWS
    + """)
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), v.privilege
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) AS v (privilege)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 't') AND c.relpersistence <> 't'
  AND (pg_catalog.has_table_privilege(%(role)s, c.oid, v.privilege)
       OR c.relkind <> 'S' AND v.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
          AND pg_catalog.has_any_column_privilege(%(role)s, c.oid, v.privilege))
  AND (c.oid >= 16384 OR v.privilege <> 'SELECT'
       OR c.relname IN ('pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs') AND n.nspname = 'pg_catalog'
       OR NOT EXISTS (
         SELECT FROM pg_catalog.pg_init_privs i CROSS JOIN LATERAL pg_catalog.aclexplode(i.initprivs) x
         WHERE i.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND i.objoid = c.oid AND x.grantee = 0
           AND x.privilege_type = 'SELECT'))
  AND NOT (c.oid < 16384 AND v.privilege = 'UPDATE' AND c.relname = 'pg_settings')
  AND NOT (v.privilege = 'SELECT' AND c.oid IN (SELECT oid FROM own))
ORDER BY 1, 2
"""
)

_TABLES = (
    "SELECT CASE WHEN b.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, b.name, b.privilege FROM ("
    + BEYOND.replace("SELECT pg_catalog.format", "SELECT c.relkind, pg_catalog.format", 1)
    + ") AS b (relkind, name, privilege)"
)

GAPS: tuple[tuple[str, int], ...] = (
    (_ATTRIBUTES, 0),
    (_MEMBERS, 0),
    (_OWNED, 0),
    (_DATABASE, 0),
    (_SCHEMAS, 0),
    (_ROUTINES, 0),
    (_SYSTEM_ROUTINES, 0),
    (_TABLES, 0),
    (_LARGE_OBJECTS, 0),
    (_FOREIGN, 0),
    (_PARAMETERS, 150_000),
)
"""Each query, with the server version (as server_version_num) from which on it can be asked."""
