"""sql: an expression of the policy's author."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dbmask.errors import BindError, MaskError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Sql"]

_PLACE = "{value}"
_NAME = "dbmask_value_here"


@dataclass(frozen=True, kw_only=True)
class Sql(Mask):
    """An SQL ``expression`` in the source's own dialect, with ``{value}`` where the column stands. For clones alone.

    What it gives is for its author to know: ``injective: true`` says that different values never give the same result.
    """

    name: ClassVar[str] = "sql"
    profiles: ClassVar[frozenset[str]] = frozenset({"clone"})
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Alice", "Al", {"expression": "substr({value}, 1, 2)"}),
        Case("Alice", "?", {"expression": "CASE WHEN {value} IS NULL THEN NULL ELSE '?' END"}),
        Case(None, None, {"expression": "substr({value}, 1, 2)"}),
    )

    expression: str
    injective: bool = False

    def __post_init__(self) -> None:
        if _NAME in self.expression:
            raise ValueError(f"expression must not hold the name {_NAME}")

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit any column; whether the expression can be read is seen when its dialect is known."""
        promises = Promises(type=columns.target.type, injective=self.injective, total=False)
        return _Expression(columns.target.name, columns.table, self.expression, promises)


@dataclass(frozen=True)
class _Expression:
    """An expression over one column."""

    target: str
    table: str
    expression: str
    promises: Promises

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.target,)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.target,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        raise MaskError(f"{self.table}.{self.target}: sql runs in the source database alone")

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        from sqlglot import exp, parse
        from sqlglot.errors import SqlglotError

        try:
            trees = parse(self.expression.replace(_PLACE, _NAME), read=dialect.name)
        except SqlglotError:
            trees = []
        tree = trees[0] if len(trees) == 1 else None
        if tree is None:
            raise BindError(
                f"the expression is none that {dialect.name} would read", "write one expression, with {value}"
            )
        if isinstance(tree, exp.Query | exp.DDL | exp.DML | exp.Command):
            raise BindError("the expression is a statement", "write one expression, with {value}")
        if any(_NAME in literal.this for literal in tree.find_all(exp.Literal)):
            raise BindError("{value} stands inside a literal", "join texts with || or CONCAT")

        def put(node: exp.Expression) -> exp.Expression:
            return exprs[0].copy() if isinstance(node, exp.Column) and node.name == _NAME else node

        return [exp.Paren(this=tree.transform(put))]
