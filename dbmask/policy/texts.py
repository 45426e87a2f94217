"""What ``dbmask text`` reads: a file with the parameters of the mask ``text`` at its top, or a policy with one such column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbmask.errors import PolicyError, Problem, UsageError
from dbmask.policy.document import Document
from dbmask.policy.load import load_policy
from dbmask.policy.model import Policy
from dbmask.policy.read import read
from dbmask.policy.specs import Specs

if TYPE_CHECKING:
    from dbmask.text.mask import Text

__all__ = ["load_text"]


def load_text(path: str, column: str | None = None) -> tuple[Text, Policy]:
    """The text mask of a file, and the policy that names its key.

    ``column`` (table.column, as the policy writes them) chooses where a policy has several. Raises PolicyError with
    every problem, UsageError where there is no such column.
    """
    document = read(path)
    data = document.data
    if isinstance(data, dict) and ("tables" in data or "include" in data):
        policy = load_policy(path)
        return _of_policy(policy, column), policy
    if column is not None:
        raise UsageError(f"{path} is no policy with tables, so it has no column {column}")
    return _of_block(document)


def _of_block(document: Document) -> tuple[Text, Policy]:
    from dbmask.text.mask import Text

    data: Any = document.data
    if not isinstance(data, dict) or "matchers" not in data:
        raise PolicyError(
            [Problem(document.where(), "has no `matchers:`", "give matchers and masks, or a policy with `tables:`")]
        )
    key, epoch = data.get("key"), data.get("epoch", "")
    if key is not None and not (isinstance(key, str) and key.startswith(("env:", "file:", "exec:"))):
        document.fail(("key",), "the key must be env:NAME, file:PATH or exec:COMMAND, not the key itself")
    spec = {"mask": "text", **{k: v for k, v in data.items() if k not in ("key", "epoch", "version", "mask")}}
    mask = Specs().mask(document, (), spec)
    if document.problems or not isinstance(mask, Text):
        raise PolicyError(document.problems)
    return mask, Policy(key=key, epoch=str(epoch), path=document.name, notes=tuple(document.notes))


def _of_policy(policy: Policy, column: str | None) -> Text:
    from dbmask.text.mask import Text

    found = {f"{t.name}.{c.name}": c.mask for t in policy.tables for c in t.columns if isinstance(c.mask, Text)}
    if column is None and len(found) == 1:
        return next(iter(found.values()))
    if column is not None and column in found:
        return found[column]
    listed = ", ".join(sorted(found)) or "none"
    what = (
        f"{policy.path} has no column {column} with the mask text"
        if column
        else f"{policy.path} has several text masks"
    )
    raise UsageError(f"{what}: name one with --column ({listed})" if found else f"{policy.path} has no text mask")
