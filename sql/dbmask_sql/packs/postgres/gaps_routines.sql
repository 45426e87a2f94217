-- Functions and procedures that the role may execute, but for those of extensions that compute from arguments alone.
-- Triggers' functions and those with internal arguments cannot be called from SQL.
SELECT CASE WHEN p.prosecdef THEN 'DEFINER' ELSE 'ROUTINE' END, 
pg_catalog.format('%%I.%%I(%%s)', n.nspname, p.proname, (
  SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('%%I.%%I', tn.nspname, t.typname), ', ' ORDER BY a.i), '')
  FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, i)
  JOIN pg_catalog.pg_type t ON t.oid = a.type JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace))
, 'EXECUTE'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384 AND pg_catalog.has_function_privilege(%(role)s, p.oid, 'EXECUTE')
  AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
  AND NOT 'pg_catalog.internal'::pg_catalog.regtype = ANY (p.proargtypes::oid[])
  AND (p.prosecdef OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
      AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = ANY (%(safe)s::name[])))
ORDER BY p.prosecdef DESC, 2
