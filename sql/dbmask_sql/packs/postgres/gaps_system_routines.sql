-- What the system keeps from PUBLIC (files, logs, replication), and what shows other sessions' statements.
SELECT 'ROUTINE', 
pg_catalog.format('%%I.%%I(%%s)', n.nspname, p.proname, (
  SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('%%I.%%I', tn.nspname, t.typname), ', ' ORDER BY a.i), '')
  FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, i)
  JOIN pg_catalog.pg_type t ON t.oid = a.type JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace))
, 'EXECUTE'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid < 16384 AND pg_catalog.has_function_privilege(%(role)s, p.oid, 'EXECUTE')
  AND (p.proname IN ('pg_stat_get_activity', 'pg_stat_get_backend_activity') OR EXISTS (
    SELECT FROM pg_catalog.pg_init_privs i
    WHERE i.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND i.objoid = p.oid
      AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(i.initprivs) x WHERE x.grantee = 0)))
ORDER BY 2
