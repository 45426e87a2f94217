-- Settings of superusers that PUBLIC or the role may change.
SELECT 'PARAMETER', p.parname, v.privilege
FROM pg_catalog.pg_parameter_acl p CROSS JOIN (VALUES ('SET'), ('ALTER SYSTEM')) AS v (privilege)
WHERE pg_catalog.has_parameter_privilege(%(role)s, p.parname, v.privilege)
ORDER BY p.parname
