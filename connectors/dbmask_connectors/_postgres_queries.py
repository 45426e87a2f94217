"""The catalog queries. Each lists user objects only: no system schemas, nothing that an extension owns."""

from __future__ import annotations

__all__ = [
    "BOUNDS",
    "COLUMNS",
    "CONSTRAINTS",
    "DOMAIN_CHECKS",
    "GENERATED",
    "INDEXES",
    "LABELS",
    "PARENTS",
    "PARTITION_KEYS",
    "RELATIONS",
    "SEQUENCES",
    "TRIGGERS",
    "VIEW_READS",
]

RELATIONS = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, c.relispartition AS partition,
       c.relrowsecurity AS row_security, c.reltuples::bigint AS rows, c.relpages AS pages,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid) END AS bytes,
       CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) END AS main_bytes,
       obj_description(c.oid, 'pg_class') AS comment,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
  AND n.nspname NOT LIKE 'pg\\_temp%'
  AND NOT coalesce(obj_description(n.oid, 'pg_namespace') ~ '^dbmask (keys and catalog$|masked views for )', false)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
"""

COLUMNS = """
WITH RECURSIVE base AS (
  SELECT t.oid AS type, t.oid AS base, -1 AS typmod, false AS not_null, NULL::text AS fallback FROM pg_type t
  UNION ALL
  SELECT b.type, t.typbasetype, t.typtypmod, b.not_null OR t.typnotnull, coalesce(b.fallback, t.typdefault COLLATE "default")
  FROM base b JOIN pg_type t ON t.oid = b.base WHERE t.typtype = 'd'
)
SELECT a.attrelid AS oid, a.attnum AS number, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS written,
       bt.typname AS base, bt.oid AS base_oid,
       format_type(bt.oid, CASE WHEN t.typtype = 'd' THEN b.typmod ELSE a.atttypmod END) AS base_written,
       CASE WHEN t.typtype = 'd' THEN t.typname END AS domain, b.not_null AS domain_not_null,
       e.typname AS element, e.oid AS element_oid, format_type(e.oid, NULL) AS element_written,
       col_description(a.attrelid, a.attnum) AS comment,
       a.attnotnull AS not_null, a.attidentity::text AS identity, a.attgenerated::text AS generated,
       coalesce(pg_get_expr(d.adbin, d.adrelid), b.fallback) AS default, coalesce(co.collisdeterministic, true) AS deterministic
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
JOIN pg_type t ON t.oid = a.atttypid
JOIN base b ON b.type = a.atttypid
JOIN pg_type bt ON bt.oid = b.base AND bt.typtype <> 'd'
LEFT JOIN pg_type e ON e.oid = bt.typelem AND bt.typcategory = 'A'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation co ON co.oid = a.attcollation
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

LABELS = "SELECT enumtypid AS type, enumlabel AS label FROM pg_enum ORDER BY enumtypid, enumsortorder"

GENERATED = """
SELECT ad.adrelid AS oid, ad.adnum AS number, a.attname AS source
FROM pg_attrdef ad
JOIN pg_attribute g ON g.attrelid = ad.adrelid AND g.attnum = ad.adnum AND g.attgenerated <> ''
JOIN pg_depend d ON (d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
                     OR d.classid = 'pg_class'::regclass AND d.objid = ad.adrelid AND d.objsubid = ad.adnum)
  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ad.adrelid AND d.refobjsubid NOT IN (0, ad.adnum)
JOIN pg_attribute a ON a.attrelid = ad.adrelid AND a.attnum = d.refobjsubid
GROUP BY ad.adrelid, ad.adnum, a.attname, a.attnum ORDER BY a.attnum
"""

CONSTRAINTS = """
SELECT c.conrelid AS oid, c.conname AS name, c.contype::text AS type, c.confrelid AS ref, c.condeferrable AS deferrable,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (n, i)
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.i) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (n, i)
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY k.i) AS ref_columns,
       CASE WHEN c.contype IN ('c', 'x') THEN pg_get_constraintdef(c.oid) END AS sql,
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_equal
FROM pg_constraint c
LEFT JOIN pg_index i ON c.contype = 'u' AND i.indexrelid = c.conindid
WHERE c.contype IN ('p', 'u', 'f', 'c', 'x') AND c.conrelid <> 0 AND (c.contype <> 'f' OR c.conparentid = 0)
ORDER BY c.conrelid, c.contype = 'p' DESC, c.conname
"""

DOMAIN_CHECKS = """
SELECT a.attrelid AS oid, a.attname AS column, c.conname AS name, pg_get_constraintdef(c.oid) AS sql
FROM pg_constraint c
JOIN pg_attribute a ON a.atttypid = c.contypid AND NOT a.attisdropped
JOIN pg_class r ON r.oid = a.attrelid AND r.relkind IN ('r', 'p')
WHERE c.contype = 'c' AND c.contypid <> 0
"""

INDEXES = """
SELECT i.indrelid AS oid, c.relname AS name, i.indisunique AS unique,
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_equal,
       i.indpred IS NOT NULL AS partial,
       i.indexprs IS NOT NULL AS expressions, pg_get_indexdef(i.indexrelid) AS sql,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (n, o)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
             WHERE k.o <= i.indnkeyatts ORDER BY k.o) AS columns
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY i.indrelid, c.relname
"""

TRIGGERS = """
SELECT t.tgrelid AS oid, t.tgname AS name, t.tgtype AS kind, pg_get_triggerdef(t.oid) AS sql, p.proname AS function,
       p.prosrc AS source
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
ORDER BY t.tgrelid, t.tgname
"""

PARENTS = "SELECT inhrelid AS oid, inhparent AS parent FROM pg_inherits ORDER BY inhrelid, inhseqno"

PARTITION_KEYS = """
SELECT p.partrelid AS oid,
       ARRAY(SELECT a.attname::text FROM unnest(p.partattrs::int2[]) WITH ORDINALITY AS k (n, o)
             JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.n ORDER BY k.o) AS columns
FROM pg_partitioned_table p
"""

BOUNDS = """
SELECT c.oid, pg_get_partition_constraintdef(c.oid) AS sql
FROM pg_class c WHERE c.relispartition AND c.relkind IN ('r', 'p') AND pg_get_partition_constraintdef(c.oid) IS NOT NULL
"""

VIEW_READS = """
SELECT DISTINCT r.ev_class AS oid, d.refobjid AS read
FROM pg_rewrite r
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
WHERE d.refobjid <> r.ev_class
"""

SEQUENCES = """
SELECT n.nspname AS schema, c.relname AS name, s.seqincrement AS increment, d.refobjid AS owner, a.attname AS owner_column,
       CASE WHEN c.relkind = 'S' AND has_sequence_privilege(c.oid, 'USAGE,SELECT') THEN pg_sequence_last_value(c.oid) END AS last
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
  AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
ORDER BY n.nspname, c.relname
"""
