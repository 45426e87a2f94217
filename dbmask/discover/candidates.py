"""The masks that may stand on a column, the best first: the planner says which of them fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbmask.schema import Column, Kind

__all__ = ["candidates"]

_NUMBERS = (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT)
_TAGS = ("PERSON", "EMAIL", "PHONE", "LOCATION", "IBAN", "CREDIT_CARD", "NATIONAL_ID", "DATE")


def candidates(label: str, column: Column, unique: bool, names: Sequence[tuple[str, str]] = ()) -> list[Any]:
    """Masks, as a policy writes them, for a column that holds ``label`` ("unknown" where nothing is known).

    ``names`` are the row's columns that hold names, as (column, label): free text is searched for their values.
    An empty list says that no mask is known to fit.
    """
    kind = column.type.kind
    if kind is Kind.TEXT:
        return [*_of_text(label, unique, names), *_any_text(column, unique)]
    if column.type.is_temporal:
        return [{"mask": "date_shift", "days": 180}, *_absent(column)]
    if kind is Kind.INTEGER:
        return ["permute", *_absent(column)]
    if kind in _NUMBERS:
        return [*_absent(column), {"mask": "fixed", "value": 0}]
    if kind is Kind.UUID:
        return ["uuid"]
    if kind is Kind.JSON:
        return [*_absent(column), {"mask": "fixed", "value": "{}"}]
    return _absent(column)


def _of_text(label: str, unique: bool, names: Sequence[tuple[str, str]]) -> list[Any]:
    more = {"unique": True} if unique else {}
    if label == "email":
        return [{"mask": "email", **more} if more else "email"]
    if label in ("first_name", "last_name", "full_name"):
        return [] if unique else [label]
    if label == "phone":
        return [] if unique else ["phone"]
    if label in ("card", "iban", "birth_number"):
        kind = {"card": "credit_card", "iban": "iban", "birth_number": "cz_rc"}[label]
        return [{"mask": "checksum", "type": kind, **more}]
    if label == "secret":
        return ["hash"]
    if label == "free_text" and not unique:
        return [_free_text(names)]
    return []


def _any_text(column: Column, unique: bool) -> list[Any]:
    shorter = [{"mask": "hash", "length": column.type.length}] if (column.type.length or 64) < 64 else ["hash"]
    if unique:
        return [{"mask": "imitate", "unique": True}, *shorter]
    return ["imitate", "redact", *shorter, *_absent(column)]


def _absent(column: Column) -> list[Any]:
    return ["null"] if column.nullable else []


def _free_text(names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Names of the row and whatever rules find, replaced by tags; a text in which nothing is found is replaced whole."""
    labels = list(dict.fromkeys(label.upper() for _, label in names))
    tags = [label for label in _TAGS if label not in labels]
    matchers: dict[str, Any] = {"ner": [{"label": tag} for tag in tags]}
    if names:
        matchers["context_sources"] = [{"label": label.upper(), "column": column} for column, label in names]
    masks = [{"label": tag, "masks": [{"type": "fixed", "value": f"[{tag.lower()}]"}]} for tag in (*labels, *tags)]
    return {
        "mask": "text",
        "on_nothing": "redact",
        "matchers": matchers,
        "masks": masks,
        "fallback_masks": [{"type": "fixed", "value": "[text]"}],
    }
