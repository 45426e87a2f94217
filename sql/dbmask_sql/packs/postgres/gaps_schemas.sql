-- Schemas in which the role may create.
SELECT 'SCHEMA', pg_catalog.quote_ident(n.nspname), 'CREATE' FROM pg_catalog.pg_namespace n
WHERE pg_catalog.has_schema_privilege(%(role)s, n.oid, 'CREATE') AND n.nspname !~ '^pg_(toast_)?temp_'
ORDER BY 2
