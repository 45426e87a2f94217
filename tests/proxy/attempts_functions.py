"""Attempts to get at raw values by functions, by their kind."""

from __future__ import annotations

__all__ = ["FUNCTIONS"]

FUNCTIONS = {
    "statements in texts": (
        *("query_to_xml('SELECT name FROM public.person', true, false, '')", "table_to_xml('person', true, false, '')"),
        *(
            "ts_stat('SELECT to_tsvector(name) FROM person')",
            "ts_rewrite('a', 'SELECT ''a''::tsquery, name::tsquery FROM person')",
        ),
        *(
            "cursor_to_xml('c', 1, true, false, '')",
            "database_to_xmlschema(true, true, '')",
            "schema_to_xml('public', true, true, '')",
        ),
    ),
    "files": (
        "pg_read_file('PG_VERSION')",
        "pg_ls_dir('.')",
        "pg_stat_file('.')",
        "pg_read_binary_file('x')",
        "pg_ls_logdir()",
    ),
    "large objects": (
        "lo_get(1)",
        "lo_import('/etc/passwd')",
        "loread(1, 1)",
        "lo_from_bytea(0, 'a')",
        "lo_put(1, 0, 'a')",
    ),
    "settings": (
        "set_config('search_path', 'x', false)",
        "current_setting('app.secret')",
        "pg_show_all_settings()",
        "pg_reload_conf()",
    ),
    "other sessions": (
        "pg_stat_get_activity(NULL)",
        "pg_terminate_backend(1)",
        "pg_stat_get_backend_activity(1)",
        "pg_cancel_backend(1)",
    ),
    "statistics": ("pg_mcv_list_items(NULL)", "pg_stat_get_tuples_inserted(1)", "pg_stats_ext_mcvlist_items(NULL)"),
    "definitions": ("pg_get_functiondef('plus'::regproc)", "pg_get_function_sqlbody(1)", "pg_get_expr(NULL, 0)"),
    "log and replication": (
        "pg_create_logical_replication_slot('a', 'b')",
        "pg_logical_emit_message(true, 'a', 'b')",
        "pg_switch_wal()",
    ),
    "time": ("pg_sleep(9)", "pg_sleep_for('9s')", "pg_sleep_until(now())"),
    "locks and channels": (
        "pg_advisory_lock(1)",
        "pg_notify('a', 'b')",
        "pg_listening_channels()",
        "pg_try_advisory_lock(1)",
    ),
    "sequences": ("nextval('counter')", "setval('counter', 1)", "lastval()", "currval('counter')"),
    "rows by place": (
        "currtid2('person', '(0,1)')",
        "heap_page_items(NULL)",
        "get_raw_page('person', 0)",
        "tuple_data_split(1, '', 1, 1, '')",
    ),
    "the source's own": ("plus(1)", "public.plus(1, 2)", "dbmask.anything(1)"),
    "names in full": ("public.upper('a')", "pg_temp.upper('a')", "pg_toast.upper('a')", "a.b.upper('a')"),
    "upgrades and internals": (
        "binary_upgrade_create_empty_extension('a')",
        "pg_import_system_collations('pg_catalog')",
        "fmgr_sql_validator(1)",
    ),
    "what runs now": (
        "current_query()",
        "pg_current_logfile()",
        "txid_current()",
        "inet_server_addr()",
        "pg_current_xact_id()",
    ),
    "indexes": ("brin_summarize_new_values('person')", "gin_clean_pending_list('person')", "pg_index_column_size(1)"),
}
"""Calls by their kind: each is refused, or answers without a value."""
