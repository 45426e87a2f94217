-- Ways to other servers.
SELECT 'FOREIGN SERVER', pg_catalog.quote_ident(srvname), 'USAGE' FROM pg_catalog.pg_foreign_server
WHERE pg_catalog.has_server_privilege(%(role)s, oid, 'USAGE')
UNION ALL
SELECT 'FOREIGN DATA WRAPPER', pg_catalog.quote_ident(fdwname), 'USAGE' FROM pg_catalog.pg_foreign_data_wrapper
WHERE pg_catalog.has_foreign_data_wrapper_privilege(%(role)s, oid, 'USAGE')
ORDER BY 1, 2
