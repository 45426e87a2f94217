"""What the rewriter knows of a source: masked relations, catalogs with their harmless columns, functions on the list."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbmask.proxy.catalog import MaskedRelation, masked_relations

if TYPE_CHECKING:
    import psycopg

__all__ = ["HIDING", "Catalog", "load_catalog"]

_RELATIONS = [
    "pg_class",
    "pg_namespace",
    "pg_attribute",
    "pg_type",
    "pg_index",
    "pg_constraint",
    "pg_attrdef",
    "pg_description",
    "pg_proc",
    "pg_am",
    "pg_opclass",
    "pg_operator",
    "pg_collation",
    "pg_enum",
    "pg_range",
    "pg_inherits",
    "pg_database",
    "pg_roles",
    "pg_settings",
    "pg_tables",
    "pg_views",
    "pg_indexes",
    "pg_language",
    "pg_extension",
    "pg_trigger",
    "pg_policy",
    "pg_rewrite",
    "pg_sequence",
    "pg_depend",
    "pg_tablespace",
    "pg_timezone_names",
    "pg_timezone_abbrevs",
    "pg_partitioned_table",
    "pg_publication",
    "pg_publication_rel",
    "pg_publication_namespace",
    "pg_statistic_ext",
    "pg_foreign_table",
    "pg_event_trigger",
    "pg_cast",
    "pg_aggregate",
    "pg_matviews",
    "pg_conversion",
    "pg_ts_config",
    "pg_ts_dict",
]
_SCHEMA_VIEWS = [
    "columns",
    "tables",
    "views",
    "schemata",
    "table_constraints",
    "key_column_usage",
    "constraint_column_usage",
    "referential_constraints",
    "routines",
    "parameters",
    "sequences",
    "domains",
    "character_sets",
    "collations",
    "information_schema_catalog_name",
]
_LITERALS = frozenset(
    [
        "prosrc",
        "probin",
        "proargdefaults",
        "prosqlbody",
        "description",
        "definition",
        "indexdef",
        "column_default",
        "generation_expression",
        "check_clause",
        "view_definition",
        "routine_definition",
        "parameter_default",
        "domain_default",
        "typdefault",
        "typdefaultbin",
        "attmissingval",
        "seqmin",
        "tgargs",
        "tgqual",
        "stxexprs",
        "extconfig",
        "extcondition",
        "ftoptions",
        "evtname",
        "boot_val",
        "reset_val",
        "sourcefile",
        "external_name",
    ]
)
_VOLATILE = frozenset(["random", "clock_timestamp", "timeofday", "gen_random_uuid", "setseed", "random_normal"])
_PG = frozenset(
    [
        "pg_table_is_visible",
        "pg_type_is_visible",
        "pg_function_is_visible",
        "pg_operator_is_visible",
        "pg_opclass_is_visible",
        "pg_collation_is_visible",
        "pg_conversion_is_visible",
        "pg_ts_config_is_visible",
        "pg_ts_dict_is_visible",
        "pg_get_userbyid",
        "pg_encoding_to_char",
        "pg_typeof",
        "pg_size_pretty",
        "pg_backend_pid",
        "pg_is_in_recovery",
        "pg_has_role",
        "pg_postmaster_start_time",
        "pg_get_function_identity_arguments",
        "pg_get_function_result",
        "pg_relation_is_publishable",
        "pg_my_temp_schema",
        "pg_is_other_temp_schema",
        "pg_char_to_encoding",
        "pg_client_encoding",
        "pg_table_size",
        "pg_relation_size",
        "pg_total_relation_size",
        "pg_get_keywords",
        "pg_index_column_has_property",
        "pg_tablespace_location",
        "pg_collation_for",
    ]
)
HIDING = frozenset(
    [
        "pg_get_expr",
        "pg_get_constraintdef",
        "pg_get_indexdef",
        "pg_get_viewdef",
        "pg_get_ruledef",
        "pg_get_triggerdef",
        "pg_get_function_arguments",
        "pg_get_function_arg_default",
        "pg_get_partkeydef",
        "pg_get_statisticsobjdef",
        "pg_get_partition_constraintdef",
        "pg_get_statisticsobjdef_columns",
        "obj_description",
        "col_description",
        "shobj_description",
    ]
)
"""Functions that show definitions or comments, which may hold literals: NULL stands in their place."""
_NEVER = re.compile(
    r"lo_|lo(read|write|import|export|creat|open)|dblink|(query|table|schema|database|cursor)_to_|set_config$|current_query$"
    r"|ts_(stat|rewrite)$|binary_upgrade|(next|set|curr|last)val$|txid_|currtid|gin_clean|brin_|.*_(recv)$"
)


@dataclass(frozen=True)
class Catalog:
    """Names as the server has them. ``hiding``: relation -> its columns, with NULL in the place of those with literals."""

    relations: dict[tuple[str, str], MaskedRelation]
    hiding: dict[tuple[str, str], str]
    functions: frozenset[str]
    schemas: frozenset[str]
    views: frozenset[tuple[str, str]] = field(default=frozenset())


def load_catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """Read the catalogs as the masked role; psycopg's errors pass through."""
    relations = {(r.base_schema, r.base_name): r for r in masked_relations(connection).values()}
    views = {(r.view_schema, name) for r in relations.values() for name in (r.view_name, r.only)}
    hiding: dict[tuple[str, str], list[str]] = {}
    for schema, table, column, kind in connection.execute(
        "SELECT n.nspname, c.relname, quote_ident(a.attname), format_type(a.atttypid, NULL) FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.attnum > 0 AND NOT a.attisdropped AND (n.nspname = 'pg_catalog' AND c.relname = ANY(%s)"
        " OR n.nspname = 'information_schema' AND c.relname = ANY(%s)) ORDER BY 1, 2, a.attnum",
        (_RELATIONS, _SCHEMA_VIEWS),
    ):
        safe = kind != "pg_node_tree" and column.strip('"') not in _LITERALS
        shown = column if safe else f"NULL::{kind if kind != 'pg_node_tree' else 'text'} AS {column}"
        hiding.setdefault((schema, table), []).append(shown)
    rows = connection.execute(
        "SELECT proname, bool_and(provolatile <> 'v') FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace LEFT JOIN"
        " (pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass)"
        " ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'"
        " WHERE nspname = 'pg_catalog' OR extname IN ('hstore', 'citext', 'pg_trgm', 'unaccent', 'ltree') GROUP BY 1"
    )
    functions = frozenset(n for n, calm in rows if _allowed(n, calm))
    schemas = frozenset(n for (n,) in connection.execute("SELECT nspname FROM pg_namespace"))
    return Catalog(relations, {k: ", ".join(v) for k, v in hiding.items()}, functions, schemas, frozenset(views))


def _allowed(name: str, calm: bool) -> bool:
    if name.startswith("pg_"):
        return name in _PG
    return (calm or name in _VOLATILE) and name not in HIDING and not _NEVER.match(name)
