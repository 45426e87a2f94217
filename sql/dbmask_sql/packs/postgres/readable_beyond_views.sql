-- Relations that the role has any right on and that are none of its masked views; of the system's own, those that its
-- makers kept from PUBLIC, and the views of planner statistics, of which the role needs none.
WITH own AS (
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'dbmask' AND c.relname IN ('relations', 'installation') AND c.relkind = 'v'
UNION ALL
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
JOIN pg_catalog.pg_namespace home ON home.nspname = 'dbmask' AND home.nspowner = n.nspowner AND home.nspowner = c.relowner
WHERE c.relkind = 'v' AND pg_catalog.obj_description(n.oid, 'pg_namespace') = 'dbmask masked views for ' || %(role)s
)
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, pg_catalog.format('%%I.%%I', n.nspname, c.relname), v.privilege
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) AS v (privilege)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 't') AND c.relpersistence <> 't'
  AND (pg_catalog.has_table_privilege(%(role)s, c.oid, v.privilege)
       OR c.relkind <> 'S' AND v.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
          AND pg_catalog.has_any_column_privilege(%(role)s, c.oid, v.privilege))
  AND (c.oid >= 16384 OR v.privilege <> 'SELECT'
       OR c.relname IN ('pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs') AND n.nspname = 'pg_catalog'
       OR NOT (n.nspname = 'information_schema' AND c.relname !~ '^_') AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_init_privs i CROSS JOIN LATERAL pg_catalog.aclexplode(i.initprivs) x
         WHERE i.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND i.objoid = c.oid AND x.grantee = 0
           AND x.privilege_type = 'SELECT'))
  AND NOT (c.oid < 16384 AND v.privilege = 'UPDATE' AND c.relname = 'pg_settings')
  AND NOT (v.privilege = 'SELECT' AND c.oid IN (SELECT oid FROM own))
ORDER BY 1, 2
