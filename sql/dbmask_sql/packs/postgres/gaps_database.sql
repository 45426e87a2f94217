-- Rights on the database.
SELECT 'DATABASE', pg_catalog.quote_ident(pg_catalog.current_database()), v.privilege
FROM (VALUES ('TEMPORARY'), ('CREATE')) AS v (privilege)
WHERE pg_catalog.has_database_privilege(%(role)s, pg_catalog.current_database(), v.privilege)
