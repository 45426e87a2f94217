-- What the role is that no masked role may be.
SELECT 'ATTRIBUTE', v.word, '' FROM pg_catalog.pg_roles r CROSS JOIN LATERAL (VALUES
  (r.rolsuper, 'SUPERUSER'), (r.rolcreaterole, 'CREATEROLE'), (r.rolcreatedb, 'CREATEDB'),
  (r.rolreplication, 'REPLICATION'), (r.rolbypassrls, 'BYPASSRLS'), (r.rolinherit, 'INHERIT')) AS v (held, word)
WHERE r.rolname = %(role)s AND v.held
