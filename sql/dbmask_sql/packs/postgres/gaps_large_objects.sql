-- Large objects that PUBLIC or the role may read or write.
SELECT 'LARGE OBJECT', o.oid::text, x.privilege_type
FROM pg_catalog.pg_largeobject_metadata o CROSS JOIN LATERAL pg_catalog.aclexplode(o.lomacl) x
LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
WHERE x.grantee = 0 OR r.rolname = %(role)s
ORDER BY o.oid
