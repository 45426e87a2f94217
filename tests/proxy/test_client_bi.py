"""What three BI tools ask when they connect: pgAdmin, DBeaver and Metabase, each query in words of our own, with the relations,
functions and types that the tool's asks for. An answer is right where a role that sees the masked views alone would give it.

Sources, for who wants to compare (repository, file, commit):
pgadmin-org/pgadmin4, web/pgadmin/utils/driver/psycopg3/connection.py, 05c6e45a21b5350b7f92e65dcad6f7f1c4f465a0;
dbeaver/dbeaver, plugins/org.jkiss.dbeaver.ext.postgresql/src/org/jkiss/dbeaver/ext/postgresql/model/PostgreDataSource.java,
005a1a1cb6e67fd5a92794ba7045ada7410f3365, and PostgreDatabase.java beside it, 001f621c651677a0e920556d41f533da67bd638b;
metabase/metabase, src/metabase/driver/postgres.clj, 008fd6675457cdd62da2265628bed3b725a607ea.
"""

from __future__ import annotations

import psycopg
import pytest

from tests.proxy.shop import SECRET, Shop

PGADMIN = {
    "settings": "SET DateStyle = ISO; SET client_min_messages = notice; SELECT set_config('bytea_output', 'hex', false) FROM pg_settings "
    "WHERE name = 'bytea_output'; SET client_encoding = 'UTF8'",
    "version": "SELECT version()",
    "database": "SELECT d.oid, d.datname, d.datallowconn, pg_encoding_to_char(d.encoding), has_database_privilege(d.oid, 'CREATE'), "
    "d.datistemplate FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()",
    "role": "SELECT r.oid, r.rolname, r.rolsuper, r.rolsuper OR r.rolcreaterole, r.rolsuper OR r.rolcreatedb, "
    "'pg_signal_backend' = ANY (ARRAY("
    "WITH RECURSIVE up AS (SELECT o.oid, o.rolname FROM pg_roles AS o WHERE o.oid = r.oid UNION ALL SELECT m.roleid, n.rolname FROM up "
    "JOIN pg_auth_members AS m ON m.member = up.oid JOIN pg_roles AS n ON n.oid = m.roleid) SELECT rolname FROM up)) "
    "FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user",
}
DBEAVER = {
    "databases": "SELECT d.oid, d.* FROM pg_catalog.pg_database d WHERE NOT d.datistemplate AND d.datallowconn "
    "AND d.datname = current_database()",
    "roles": "SELECT r.oid, r.* FROM pg_catalog.pg_roles r ORDER BY r.oid",
    "access methods": "SELECT a.oid, a.* FROM pg_catalog.pg_am a ORDER BY a.oid",
    "encodings": "SELECT c.contoencoding, pg_catalog.pg_encoding_to_char(c.contoencoding) FROM pg_catalog.pg_conversion c "
    "GROUP BY c.contoencoding ORDER BY 2",
    "languages": "SELECT a.oid, a.* FROM pg_catalog.pg_language a ORDER BY a.oid",
    "wrappers": "SELECT w.oid, w.*, p.pronamespace FROM pg_catalog.pg_foreign_data_wrapper w LEFT OUTER JOIN pg_catalog.pg_proc p "
    "ON p.oid = w.fdwhandler ORDER BY w.fdwname",
    "servers": "SELECT s.oid, s.* FROM pg_catalog.pg_foreign_server s ORDER BY s.srvname",
    "tablespaces": "SELECT s.oid, s.* FROM pg_catalog.pg_tablespace s ORDER BY s.oid",
    "path": 'SET search_path = "$user", public',
}
METABASE = {
    "zone": "SHOW timezone",
    "enums": "SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
    "WHERE t.oid IN (SELECT DISTINCT e.enumtypid FROM pg_enum e)",
    "tables": "SELECT n.nspname, c.relname, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' END, d.description, s.n_live_tup "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid LEFT JOIN pg_catalog.pg_description d "
    "ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass LEFT JOIN pg_stat_user_tables s "
    "ON n.nspname = s.schemaname AND c.relname = s.relname "
    "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY 3, 1, 2",
    "columns": "SELECT c.column_name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN format('%s', c.udt_name) "
    'ELSE format(\'"%s"."%s"\', c.udt_schema, c.udt_name) END, c.ordinal_position - 1, c.table_schema, c.table_name, '
    "pk.column_name IS NOT NULL, col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) "
    "AS regclass) AS oid), c.ordinal_position), c.is_nullable = 'NO' AND c.is_identity = 'NO' AND (c.column_default IS NULL "
    "OR lower(c.column_default) = 'null') FROM information_schema.columns AS c LEFT JOIN (SELECT t.table_schema, t.table_name, "
    "k.column_name FROM information_schema.table_constraints AS t JOIN information_schema.key_column_usage AS k "
    "ON t.constraint_name = k.constraint_name AND t.table_schema = k.table_schema AND t.table_name = k.table_name "
    "WHERE t.constraint_type = 'PRIMARY KEY') AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name "
    "AND c.column_name = pk.column_name WHERE c.table_schema !~ '^information_schema|catalog_history|pg_'",
}
ASKED = {
    f"{tool} {name}": q
    for tool, of in (("pgadmin", PGADMIN), ("dbeaver", DBEAVER), ("metabase", METABASE))
    for name, q in of.items()
}


SAME = {
    *("pgadmin version", "dbeaver access methods", "dbeaver encodings", "dbeaver languages", "dbeaver wrappers"),
    *("dbeaver servers", "dbeaver tablespaces", "metabase zone", "metabase enums"),
}
"""What is the same for everyone."""


@pytest.mark.parametrize("name", ASKED)
def test_a_tool_connects(place: Shop, name: str) -> None:
    """Every query is answered, with the original's columns and types, and without a raw value."""
    with (
        psycopg.connect(place.proxy.url(), autocommit=True) as c,
        psycopg.connect(place.plain, autocommit=True) as plain,
    ):
        through, direct = c.execute(ASKED[name].encode()), plain.execute(ASKED[name].encode())
        if through.description is None:
            assert direct.description is None
            return
        assert [(d.name, d.type_code) for d in through.description] == [
            (d.name, d.type_code) for d in direct.description or ()
        ]
        rows = through.fetchall()
        assert SECRET.decode() not in repr(rows)
        if name in SAME:
            assert rows == direct.fetchall()


def test_the_view_of_all_sessions_is_refused(place: Shop) -> None:
    """pgAdmin asks it whether its own session came by Kerberos, and goes on where it may not."""
    with psycopg.connect(place.proxy.url(), autocommit=True) as c:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            c.execute(
                "SELECT g.gss_authenticated, g.encrypted FROM pg_catalog.pg_stat_gssapi g WHERE g.pid = pg_backend_pid()"
            )
        assert c.execute("SELECT 1").fetchone() == (1,)


def test_what_pgadmin_learns_of_its_session(place: Shop) -> None:
    with psycopg.connect(place.proxy.url(), autocommit=True) as c:
        for text in PGADMIN["settings"].split("; "):
            c.execute(text.encode())
        assert c.execute("SHOW bytea_output").fetchone() == ("hex",)
        (database,) = c.execute(PGADMIN["database"].encode()).fetchall()
        assert database[1:] == (place.source.rpartition("/")[2], True, "UTF8", False, False)
        (role,) = c.execute(PGADMIN["role"].encode()).fetchall()
        assert role[2:] == (False, False, False, False)


def test_what_metabase_learns_of_tables(place: Shop) -> None:
    """Those of the policy, with the columns and types of the original; how many rows a table has, and nothing of its use."""
    with psycopg.connect(place.proxy.url()) as c, psycopg.connect(place.plain) as plain:
        found = {row[:5] for row in c.execute(METABASE["columns"].encode()) if row[4] == "person"}
        assert found == {row[:5] for row in plain.execute(METABASE["columns"].encode()) if row[4] == "person"}
        assert len(found) == 15
        tables = {row[1]: row for row in c.execute(METABASE["tables"].encode())}
        assert tables["town"][2] == "TABLE" and tables["person"][3] is None
        used = "SELECT n_live_tup, seq_scan, seq_tup_read, n_tup_ins, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'town'"
        assert (c.execute(used.encode()).fetchone() or ())[1:] == (None, None, None, None)
