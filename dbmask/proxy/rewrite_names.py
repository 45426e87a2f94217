"""Names in statements: relations, functions, operators and columns, resolved as the server resolves them and replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbmask.proxy.rewrite_catalog import SYSTEM_COLUMNS, Catalog, Name, without_literals
from dbmask.proxy.rewrite_lists import COMMENTS, DEFINITIONS, FREE_SETTINGS, PRIVILEGES
from dbmask.proxy.trees import Refused, expression, kinds, leaves, name_of, select_of, texts

__all__ = ["Names"]

_RELATIONS: Name = ("dbmask", "relations")
_RIGHTS = (
    "(SELECT coalesce((SELECT dbmask_r.view FROM dbmask.relations AS dbmask_r WHERE dbmask_r.base OPERATOR(pg_catalog.=)"
    " dbmask_t.of), dbmask_t.of) FROM (SELECT ($1)::pg_catalog.regclass::pg_catalog.oid AS of) AS dbmask_t)"
)
_SETTING = (
    "CASE WHEN pg_catalog.strpos(($1)::pg_catalog.text, '.') OPERATOR(pg_catalog.=) 0 THEN ($2)::pg_catalog.text END"
)
_SAMPLE = (
    "SELECT * FROM (SELECT dbmask_s.* FROM x AS dbmask_s"
    " WHERE (pg_catalog.random() OPERATOR(pg_catalog.*) 100) OPERATOR(pg_catalog.<) ($1)::real) AS y"
)
_REPEATABLE = (
    "SELECT * FROM (SELECT dbmask_s.* FROM x AS dbmask_s WHERE (pg_catalog.hashtextextended(dbmask_s::text,"
    " pg_catalog.hashfloat8(($2)::float8)) OPERATOR(pg_catalog.&) 8388607) OPERATOR(pg_catalog.*) 100.0"
    " OPERATOR(pg_catalog./) 8388608 OPERATOR(pg_catalog.<) ($1)::real) AS y"
)
_REPLACED = DEFINITIONS | COMMENTS | PRIVILEGES | {"pg_get_expr"}
_OPERATOR_KINDS = (1, 2, 3)  # AEXPR_OP, AEXPR_OP_ANY, AEXPR_OP_ALL


class Names:
    """The names of one source. Not changed by use."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.columns = frozenset(c for r in catalog.relations.values() for c in r.columns)
        # What walks over trees ask at each node.
        self.kinds, self.leaves = kinds(), leaves()
        self.node = next(of for of, kind in self.kinds.items() if kind.name == "Node")
        self.homes: dict[str, list[str]] = {}
        for schema, name in sorted(catalog.functions):
            self.homes.setdefault(name, []).append(schema)

    def relation(self, schema: str, name: str, path: Sequence[str]) -> Name:
        """The relation that a name means to the client; raises Refused."""
        implicit = [] if "pg_catalog" in path else ["pg_catalog"]
        for candidate in [schema] if schema else [*implicit, *path]:
            key = (candidate, name)
            if key in self.catalog.relations or key in self.catalog.shown:
                return key
            if key in self.catalog.present:
                raise Refused("42501", "a relation of this statement is not to be read here")
        raise Refused("42P01", "a relation of this statement does not exist")

    def require_listed(self, key: Name) -> None:
        """That a relation of generated SQL may be read; raises Refused."""
        if key not in self.catalog.views and key not in self.catalog.shown and key != _RELATIONS:
            raise Refused("42501", "the statement reads what is not on the list")

    def stand_in(self, node: Any, key: Name, system: Sequence[str]) -> None:
        """Put what stands for a relation in its place."""
        var = node.range_var
        alias = var.alias.aliasname or var.relname
        found = self.catalog.relations.get(key)
        if found is not None:
            var.schemaname, var.relname = found.view_schema, found.view_name if var.inh else found.only
            var.inh, var.alias.aliasname = True, alias
            return
        names = texts(var.alias.colnames)
        wanted = "".join(f"x.{name}, " for name in system)
        text = self.catalog.shown[key].replace(SYSTEM_COLUMNS, wanted, 1)
        made = select_of(f"SELECT 1 FROM ({text}) AS x").select_stmt  # noqa: S608 - the catalog's own text
        node.CopyFrom(made.from_clause[0])
        node.range_subselect.alias.aliasname = alias
        for column in names:
            node.range_subselect.alias.colnames.add().string.sval = column

    def sample(self, node: Any, inner: Any) -> None:
        """Put a sample of a view's rows in the place of one of a table's; raises Refused."""
        sample = node.range_table_sample
        if texts(sample.method) not in (["bernoulli"], ["system"]) or inner.WhichOneof("node") != "range_var":
            raise Refused("0A000", "this kind of sample is not supported")
        repeatable = sample.repeatable.WhichOneof("node") is not None
        given = [*sample.args, sample.repeatable] if repeatable else [*sample.args]
        whole = expression(f"({_REPEATABLE if repeatable else _SAMPLE})", *given)
        made = whole.sub_link.subselect.select_stmt.from_clause[0]
        made.range_subselect.alias.CopyFrom(inner.range_var.alias)
        rows = made.range_subselect.subquery.select_stmt.from_clause[0].range_var
        rows.schemaname, rows.relname = inner.range_var.schemaname, inner.range_var.relname
        node.CopyFrom(made)

    def unnested(self, rows: Any) -> None:
        """Take unnest of several arrays apart, as the server does where it stands in FROM without a schema."""
        kept = [type(part)() for part in rows.functions]
        for copy, part in zip(kept, rows.functions, strict=True):
            copy.CopyFrom(part)
        if not any(_several(part) for part in kept):
            return
        del rows.functions[:]
        rows.is_rowsfrom = True
        for part in kept:
            for argument in part.list.items[0].func_call.args if _several(part) else ():
                one = rows.functions.add()
                one.CopyFrom(part)
                del one.list.items[0].func_call.args[:]
                one.list.items[0].func_call.args.add().CopyFrom(argument)
            if not _several(part):
                rows.functions.add().CopyFrom(part)

    def function(self, call: Any) -> None:
        """That a function may be called; its name is written in full where that keeps others of its name away. Raises Refused."""
        names = texts(call.funcname)
        wanted = self.resolved(names, len(call.args))
        if wanted != names:
            del call.funcname[:]
            for name in wanted:
                call.funcname.add().string.sval = name
        if names[-1] in ("current_setting", "set_config") and call.args:
            self._setting(names[-1], call.args[0])

    def _setting(self, function: str, name: Any) -> None:
        """Settings of the source's own may hold anything: those have a dot in their names."""
        constant = name.WhichOneof("node") == "a_const"
        setting = name.a_const.sval.sval.lower() if constant else ""
        if function == "set_config" and setting not in FREE_SETTINGS:
            raise Refused("42501", "set_config is allowed for settings of a list, by their names")
        if constant and "." in setting:
            raise Refused("42501", "this setting is not shown")
        if not constant:
            name.CopyFrom(expression(_SETTING, name, name))

    def resolved(self, names: list[str], arguments: int) -> list[str]:
        """A function's name as it is to be written for a call with that many arguments; raises Refused."""
        name, homes = names[-1], self.homes.get(names[-1], [])
        foreign = name in self.catalog.foreign
        if len(names) > 1:
            known = len(names) == 2 and names[0] in homes
            if known and (names[0] in ("pg_catalog", "information_schema") or not foreign):
                return names
        elif arguments == 1 and name in self.columns and not foreign:
            return names  # a column, written like a function
        elif len(homes) > 1 and not foreign:
            return names  # its arguments decide, among what the system and extensions on the list have
        elif "pg_catalog" in homes:
            return ["pg_catalog", name]
        elif homes and not foreign:
            return [homes[0], name]
        raise Refused("42501", f"function {name} is not on the list of functions")

    def operator(self, message: Any) -> None:
        """That an operator is the system's or an extension's on the list; written in full where others share its name. Raises Refused."""
        kind = message.DESCRIPTOR.name
        names = message.name if kind == "A_Expr" else message.use_op if kind == "SortBy" else message.oper_name
        if not len(names) or names[-1].string.sval not in self.catalog.operators:
            return
        written = texts(names)
        apart = self.catalog.operators[written[-1]]
        if apart and written[:-1] == ["pg_catalog"]:
            return
        if len(written) > 1 or not apart:
            raise Refused("42501", "this operator is not on the list of operators")
        # LIKE, IN, BETWEEN and so on have no place for a schema.
        if kind != "A_Expr" or message.kind in _OPERATOR_KINDS:
            del names[:]
            for name in ("pg_catalog", written[-1]):
                names.add().string.sval = name

    def column(self, column: Any) -> None:
        """Names of three parts lose their schema; functions of the source's own are not called as columns."""
        fields = column.fields
        if len(fields) == 1:
            return
        self.attributes(texts(fields[1:]))
        if len(fields) == 3 and fields[0].string.sval in self.catalog.schemas:
            del fields[0]

    def attributes(self, parts: Sequence[str]) -> None:
        """That what follows a dot is no function of the source's own. Raises Refused."""
        for name in parts:
            if name in self.catalog.composite and name not in self.columns:
                raise Refused("42501", f"function {name} is not on the list of functions")

    def title(self, target: Any) -> None:
        """Keep a column's name where another expression will stand in its place."""
        name = name_of(target.val)
        if name in _REPLACED and not target.name:
            target.name = name

    def replace(self, node: Any) -> None:
        """Put what shows no literal in the place of a function that writes out definitions; rights are those on views."""
        call = node.func_call
        name = texts(call.funcname)[-1]
        if name not in _REPLACED:
            return
        if name == "pg_get_expr":
            node.CopyFrom(expression("($1)::pg_catalog.text", call.args[0]))
        elif name in DEFINITIONS:
            inner = type(node)()
            inner.CopyFrom(node)
            node.CopyFrom(expression(without_literals("$1"), inner))
        elif name in COMMENTS:
            node.CopyFrom(expression("NULL::pg_catalog.text"))
        elif name in PRIVILEGES and len(call.args) > 1:
            place = max(0, len(call.args) - (3 if name == "has_column_privilege" else 2))
            table = expression(_RIGHTS, call.args[place])
            call.args[place].CopyFrom(table)


def _several(part: Any) -> bool:
    """Whether an item of FROM is a plain call of unnest with more than one argument."""
    call = part.list.items[0].func_call
    if len(call.args) < 2 or texts(call.funcname) != ["unnest"]:
        return False
    return not (call.func_variadic or call.agg_distinct or len(call.agg_order) or len(part.list.items[1].list.items))
