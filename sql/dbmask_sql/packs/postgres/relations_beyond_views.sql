-- Every relation of the database that is none of the role's masked views, to be tried one by one.
WITH own AS (
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'dbmask' AND c.relname IN ('relations', 'installation') AND c.relkind = 'v'
UNION ALL
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
JOIN pg_catalog.pg_namespace home ON home.nspname = 'dbmask' AND home.nspowner = n.nspowner AND home.nspowner = c.relowner
WHERE c.relkind = 'v' AND pg_catalog.obj_description(n.oid, 'pg_namespace') = 'dbmask masked views for ' || %(role)s
)
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND c.oid >= 16384
  AND c.oid NOT IN (SELECT oid FROM own)
ORDER BY 1
