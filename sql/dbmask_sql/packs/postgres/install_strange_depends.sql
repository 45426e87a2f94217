-- What a view depends on that no masked view may depend on, in words: relations other than those allowed, functions and
-- operators that neither the system brings nor an extension that computes from arguments alone. The system's own objects
-- are pinned and have no rows here.
SELECT DISTINCT pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0)
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
WHERE r.ev_class = %(view)s AND d.refobjid <> r.ev_class
  AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> ALL (%(allowed)s::oid[])
       OR d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass)
          AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend m JOIN pg_catalog.pg_extension e ON e.oid = m.refobjid
            WHERE m.classid = d.refclassid AND m.objid = d.refobjid AND m.deptype = 'e'
              AND m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.extname = ANY (%(safe)s::name[])))
ORDER BY 1
