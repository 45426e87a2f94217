-- What the role owns: it could give itself any right on it.
SELECT 'OWNER', o.name, o.word FROM (
  SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname),
         CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                        WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.relowner
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
  UNION ALL SELECT pg_catalog.quote_ident(nspname), 'SCHEMA', nspowner FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT pg_catalog.quote_ident(datname), 'DATABASE', datdba FROM pg_catalog.pg_database
    WHERE datname = pg_catalog.current_database()
  UNION ALL SELECT 
pg_catalog.format('%%I.%%I(%%s)', n.nspname, p.proname, (
  SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('%%I.%%I', tn.nspname, t.typname), ', ' ORDER BY a.i), '')
  FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, i)
  JOIN pg_catalog.pg_type t ON t.oid = a.type JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace))
, 'ROUTINE', p.proowner
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
) AS o (name, word, owner)
JOIN pg_catalog.pg_roles r ON r.oid = o.owner AND r.rolname = %(role)s
ORDER BY 2
