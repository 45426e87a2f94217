"""What may be named in statements: settings, catalogs and their columns, functions. What stands in no list is refused."""

from __future__ import annotations

import re

__all__ = [
    "CATALOGS",
    "COMMENTS",
    "DEFINITIONS",
    "EXTENSIONS",
    "FREE_SETTINGS",
    "INFORMATION",
    "NODE_TREES",
    "PRIVILEGES",
    "SETTINGS",
    "TEXTS_WITH_LITERALS",
    "WITHHELD",
    "allowed_function",
]

FREE_SETTINGS = frozenset(
    (
        *("application_name", "client_min_messages", "datestyle", "intervalstyle", "timezone", "extra_float_digits"),
        *("bytea_output", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "work_mem"),
        *("enable_seqscan", "jit", "default_transaction_isolation", "default_transaction_read_only"),
        *("default_transaction_deferrable", "xmloption", "geqo", "cursor_tuple_fraction", "lc_messages"),
    )
)
"""Settings with any value, also by set_config()."""
SETTINGS = FREE_SETTINGS | {"client_encoding", "search_path", "standard_conforming_strings"}
"""Settings of sessions; those that are not free have rules of their own."""

CATALOGS = (
    *("pg_class", "pg_namespace", "pg_attribute", "pg_type", "pg_index", "pg_constraint", "pg_attrdef"),
    *("pg_description", "pg_shdescription", "pg_proc", "pg_am", "pg_opclass", "pg_opfamily", "pg_operator"),
    *("pg_collation", "pg_enum", "pg_range", "pg_inherits", "pg_database", "pg_roles", "pg_auth_members"),
    *("pg_settings", "pg_tables", "pg_views", "pg_indexes", "pg_language", "pg_extension", "pg_trigger", "pg_policy"),
    *("pg_rewrite", "pg_sequence", "pg_depend", "pg_shdepend", "pg_tablespace", "pg_timezone_names"),
    *("pg_timezone_abbrevs", "pg_partitioned_table", "pg_publication", "pg_publication_rel", "pg_user"),
    *("pg_publication_namespace", "pg_statistic_ext", "pg_foreign_table", "pg_foreign_server", "pg_event_trigger"),
    *("pg_foreign_data_wrapper", "pg_cast", "pg_aggregate", "pg_matviews", "pg_conversion", "pg_ts_config"),
    *("pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_amop", "pg_amproc", "pg_default_acl", "pg_init_privs"),
    *("pg_seclabel", "pg_available_extensions", "pg_group", "pg_transform", "pg_rules", "pg_sequences"),
    *("pg_stat_user_tables",),
)
INFORMATION = (
    *("columns", "tables", "views", "schemata", "table_constraints", "key_column_usage", "constraint_column_usage"),
    *("referential_constraints", "routines", "parameters", "sequences", "domains", "character_sets", "collations"),
    *("check_constraints", "constraint_table_usage", "triggers", "element_types", "udt_privileges", "attributes"),
    *("information_schema_catalog_name", "table_privileges", "column_privileges", "enabled_roles", "applicable_roles"),
    *("sql_features", "sql_implementation_info", "sql_sizing", "domain_constraints", "view_table_usage"),
)
EXTENSIONS = ("hstore", "citext", "pg_trgm", "unaccent", "ltree", "fuzzystrmatch", "intarray", "isn", "cube", "seg")
"""Extensions whose functions compute from their arguments alone."""

NODE_TREES = {
    ("pg_attrdef", "adbin"): "adrelid",
    ("pg_class", "relpartbound"): "oid",
    ("pg_constraint", "conbin"): "conrelid",
    ("pg_index", "indexprs"): "indrelid",
    ("pg_index", "indpred"): "indrelid",
    ("pg_partitioned_table", "partexprs"): "partrelid",
    ("pg_policy", "polqual"): "polrelid",
    ("pg_policy", "polwithcheck"): "polrelid",
    ("pg_proc", "proargdefaults"): "0",
    ("pg_statistic_ext", "stxexprs"): "stxrelid",
    ("pg_trigger", "tgqual"): "tgrelid",
    ("pg_type", "typdefaultbin"): "0",
}
"""Expressions in catalogs, and the relation that they are of: shown as texts without literals."""
TEXTS_WITH_LITERALS = frozenset(
    (
        *("definition", "indexdef", "column_default", "generation_expression", "check_clause", "view_definition"),
        *("parameter_default", "domain_default", "action_condition"),
    )
)
"""Columns that hold SQL: shown without literals."""
WITHHELD = frozenset(
    (
        *("prosrc", "probin", "prosqlbody", "proconfig", "description", "routine_definition", "typdefault", "label"),
        *("attmissingval", "attoptions", "attfdwoptions", "seqstart", "seqmin", "seqmax", "tgargs", "extconfig"),
        *("extcondition", "ftoptions", "srvoptions", "fdwoptions", "evtname", "evttags", "boot_val", "reset_val"),
        *("sourcefile", "external_name", "rolconfig", "useconfig", "rolpassword", "passwd", "dictinitoption"),
        *("start_value", "minimum_value", "maximum_value", "min_value", "max_value", "last_value", "ev_qual"),
        *("ev_action", "action_statement"),
        # What other sessions did, and how many rows a condition met.
        *("seq_scan", "seq_tup_read", "idx_scan", "idx_tup_fetch", "n_tup_ins", "n_tup_upd", "n_tup_del"),
        *("n_tup_hot_upd", "n_tup_newpage_upd", "n_mod_since_analyze", "n_ins_since_vacuum", "last_seq_scan"),
        *("last_idx_scan", "n_dead_tup"),
    )
)
"""Columns that may hold values outside of expressions, or tell of them: NULL stands in their place."""

DEFINITIONS = frozenset(
    (
        *("pg_get_constraintdef", "pg_get_indexdef", "pg_get_viewdef", "pg_get_ruledef", "pg_get_triggerdef"),
        *("pg_get_function_arguments", "pg_get_function_arg_default", "pg_get_partkeydef", "pg_get_statisticsobjdef"),
        *("pg_get_partition_constraintdef", "pg_get_statisticsobjdef_columns"),
    )
)
"""Functions that write out definitions: their literals are taken away."""
COMMENTS = frozenset(("obj_description", "col_description", "shobj_description", "pg_get_function_sqlbody"))
"""Functions whose answers may hold anything: NULL stands in their place."""
PRIVILEGES = frozenset(("has_table_privilege", "has_column_privilege", "has_any_column_privilege"))
"""Functions that are asked of a table: the rights on its view are the answer."""

_VOLATILE = frozenset(("random", "clock_timestamp", "timeofday", "gen_random_uuid", "setseed", "random_normal"))
_PG = frozenset(
    (
        *("pg_table_is_visible", "pg_type_is_visible", "pg_function_is_visible", "pg_operator_is_visible"),
        *("pg_opclass_is_visible", "pg_opfamily_is_visible", "pg_collation_is_visible", "pg_conversion_is_visible"),
        *("pg_ts_config_is_visible", "pg_ts_dict_is_visible", "pg_ts_parser_is_visible", "pg_ts_template_is_visible"),
        *("pg_statistics_obj_is_visible", "pg_get_userbyid", "pg_encoding_to_char", "pg_typeof", "pg_size_pretty"),
        *("pg_backend_pid", "pg_is_in_recovery", "pg_has_role", "pg_postmaster_start_time", "pg_size_bytes"),
        *("pg_get_function_identity_arguments", "pg_get_function_result", "pg_relation_is_publishable"),
        *("pg_my_temp_schema", "pg_is_other_temp_schema", "pg_char_to_encoding", "pg_client_encoding"),
        *("pg_table_size", "pg_relation_size", "pg_total_relation_size", "pg_indexes_size", "pg_get_keywords"),
        *("pg_index_column_has_property", "pg_index_has_property", "pg_indexam_has_property"),
        *("pg_tablespace_location", "pg_collation_for", "pg_partition_root", "pg_partition_ancestors"),
        *("pg_partition_tree", "pg_get_serial_sequence", "pg_options_to_table", "pg_column_size"),
        *("pg_get_replica_identity_index", "pg_relation_is_updatable", "pg_column_is_updatable", "pg_conf_load_time"),
        *("pg_advisory_unlock_all", "pg_trigger_depth", "pg_encoding_max_length", "pg_database_size"),
        *("pg_lsn",),
    )
)
_NEVER = re.compile(
    r"lo_|lo(read|write|import|export|creat|open)|dblink|(query|table|schema|database|cursor)_to_|current_query$"
    r"|ts_(stat|rewrite)$|binary_upgrade|(next|set|curr|last)val$|txid_|currtid|gin_clean|brin_|inet_(server|client)_"
    r"|.*_(recv|validator|handler|support|sel|joinsel)$"
)


def allowed_function(name: str, calm: bool) -> bool:
    """Whether a system function, or one of the extensions on the list, may be called; ``calm``: it is not volatile."""
    if name in DEFINITIONS or name in COMMENTS or name in ("pg_get_expr", "set_config"):
        return True
    if name.startswith("pg_"):
        return name in _PG
    return (calm or name in _VOLATILE) and not _NEVER.match(name)
