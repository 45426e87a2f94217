-- The roles that the role is a member of: it could become them.
SELECT 'MEMBER', pg_catalog.quote_ident(g.rolname), ''
FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles r ON r.oid = m.member AND r.rolname = %(role)s
JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
ORDER BY 2
