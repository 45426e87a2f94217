"""python: a function of the policy's author."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError, MaskError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask

__all__ = ["Python"]


@dataclass(frozen=True, kw_only=True)
class Python(ValueMask):
    """A function of one value, named ``package.module:name``. NULL and the empty text are not given to it.

    What it promises is for its author to know: ``injective: true`` says that different values never give the same result.
    """

    name: ClassVar[str] = "python"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Alice", "alice", {"function": "builtins:str.casefold"}),
        Case(None, None, {"function": "builtins:str.casefold"}),
        Case("", "", {"function": "builtins:str.casefold"}),
    )

    function: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")]
    injective: bool = False

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit any column. Raises BindError where the function cannot be imported."""
        function = self._function()
        limit = columns.target.type.length if columns.target.type.is_text else None
        where = f"{columns.table}.{columns.target.name}"

        def python(value: Any) -> Any:
            made = function(value)
            if limit is not None and isinstance(made, str) and len(made) > limit:
                raise MaskError(f"{where}: {self.function} gave {len(made)} characters, and the column takes {limit}")
            return made

        return self.bound(columns, Promises(type=columns.target.type, injective=self.injective, total=False), python)

    def _function(self) -> Callable[[Any], Any]:
        module, _, path = self.function.partition(":")
        try:
            found: Any = import_module(module)
            for name in path.split("."):
                found = getattr(found, name)
        except (ImportError, AttributeError):
            hint = "name it as package.module:function"
            if module == "__main__":
                hint = "worker processes do not have the script that started them: put it into a module of its own"
            raise BindError(f"python: {self.function} cannot be imported", hint) from None
        if not callable(found):
            raise BindError(f"python: {self.function} is no function", "name it as package.module:function")
        result: Callable[[Any], Any] = found
        return result
