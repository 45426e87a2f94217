"""Settings that clients may set, by SET, RESET or the startup packet; the source's other settings stay as they are."""

from __future__ import annotations

from typing import Any

__all__ = ["SETTINGS", "new_path", "set_problem"]

SETTINGS = frozenset(
    [
        "application_name",
        "client_encoding",
        "client_min_messages",
        "datestyle",
        "default_transaction_deferrable",
        "default_transaction_isolation",
        "default_transaction_read_only",
        "intervalstyle",
        "timezone",
        "extra_float_digits",
        "bytea_output",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "search_path",
        "work_mem",
        "enable_seqscan",
        "jit",
        "transaction_deferrable",
        "transaction_isolation",
        "transaction_read_only",
    ]
)
_MODES = frozenset(("transaction_isolation", "transaction_read_only", "transaction_deferrable"))
# VariableSetKind, as libpg_query numbers it.
_VALUE, _DEFAULT, _CURRENT, _MULTI, _RESET, _RESET_ALL = range(1, 7)


def set_problem(statement: Any) -> tuple[str, str] | None:
    """Why this VariableSetStmt is not sent on, as SQLSTATE and sentence; None where it may be."""
    name = statement.name.lower()
    if statement.kind == _RESET_ALL:
        return None
    if statement.kind == _MULTI:
        if name not in ("transaction", "session characteristics"):
            return "0A000", "snapshots of other sessions are not supported"
        if {a.def_elem.defname for a in statement.args} <= _MODES:
            return None
        return "42501", "this mode of transactions is not to be set here"
    if name not in SETTINGS or statement.kind == _CURRENT:
        return "42501", "this setting is not to be set here"
    if name == "client_encoding" and statement.kind == _VALUE:
        value = statement.args[0].a_const.sval.sval if len(statement.args) == 1 else ""
        if value.lower().replace("-", "") not in ("utf8", "unicode"):
            return "0A000", "only the client encoding UTF8 is supported"
    return None


def new_path(statement: Any) -> list[str] | None:
    """The search path that a VariableSetStmt sets: [] for the default one, None where it is about something else."""
    if statement.kind == _RESET_ALL:
        return []
    if statement.name.lower() != "search_path":
        return None
    return [a.a_const.sval.sval for a in statement.args] if statement.kind == _VALUE else []
