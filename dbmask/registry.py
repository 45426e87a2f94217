"""Masks and connectors by name: built-in ones found by listing their packages, third-party ones by entry point.

Nothing is imported until it is asked for by name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dbmask.errors import UsageError

if TYPE_CHECKING:
    from dbmask.masks.base import Mask
    from dbmask.spi import Connector

__all__ = ["connector_for", "connectors", "mask_class", "mask_classes", "mask_names"]

MASK_GROUP = "dbmask.masks"
CONNECTOR_GROUP = "dbmask.connectors"
_SUPPORT = frozenset({"base", "build"})
_MASKS_ELSEWHERE = ("dbmask.text.mask", "dbmask.anonymizer.mask")
"""Modules of masks that are whole packages of their own."""


def _modules(package: str) -> Iterator[Any]:
    spec = find_spec(package)
    for info in pkgutil.iter_modules(spec.submodule_search_locations if spec else None):
        if info.name not in _SUPPORT and not info.name.startswith("_"):
            yield import_module(f"{package}.{info.name}")


def _mask_modules() -> Iterator[Any]:
    yield from _modules("dbmask.masks")
    for name in _MASKS_ELSEWHERE:
        if find_spec(name.rpartition(".")[0]) is not None and find_spec(name) is not None:
            yield import_module(name)


@cache
def mask_classes() -> dict[str, type[Mask]]:
    """Every mask class by its name, third-party ones included."""
    # By name, as all that is looked up here: the registry stands below the masks.
    base: Any = import_module("dbmask.masks.base").Mask
    found: dict[str, type[Mask]] = {}
    for module in _mask_modules():
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__:
                cls: Any = item
                if cls.name:
                    found[cls.name] = cls
    for entry in metadata.entry_points(group=MASK_GROUP):
        cls = entry.load()
        found.setdefault(cls.name, cls)
    return found


@cache
def _by_any_name() -> dict[str, type[Mask]]:
    aliases = {alias: cls for cls in mask_classes().values() for alias in cls.aliases}
    return {**aliases, **mask_classes()}


def mask_class(name: str) -> type[Mask] | None:
    """The mask class of this name or alias, or None."""
    return _built_in(name) or _by_any_name().get(name)


@cache
def _built_in(name: str) -> type[Mask] | None:
    """The mask of the module called as it is, without importing all others."""
    if name in _SUPPORT or not name.isidentifier() or name.startswith("_") or not find_spec(f"dbmask.masks.{name}"):
        return None
    made: list[type[Mask]] = [
        item
        for item in vars(import_module(f"dbmask.masks.{name}")).values()
        if isinstance(item, type) and vars(item).get("name") == name
    ]
    return made[0] if len(made) == 1 else None


def mask_names() -> list[str]:
    """The names of all masks, sorted."""
    return sorted(mask_classes())


@cache
def connectors() -> dict[str, Connector]:
    """Every connector by URL scheme, third-party ones included; drivers are not imported."""
    found: dict[str, Connector] = {}
    made = [m.CONNECTOR for m in _modules("dbmask_connectors") if hasattr(m, "CONNECTOR")]
    made += [entry.load() for entry in metadata.entry_points(group=CONNECTOR_GROUP)]
    for item in made:
        connector: Connector = item() if isinstance(item, type) else item
        for scheme in connector.schemes:
            found.setdefault(scheme, connector)
    return found


@cache
def _own_connector(scheme: str) -> Connector | None:
    """The connector of the module called as the scheme is, without importing all others."""
    name = f"dbmask_connectors.{scheme}"
    if not scheme.isidentifier() or scheme.startswith("_") or not find_spec(name):
        return None
    found: Connector | None = getattr(import_module(name), "CONNECTOR", None)
    return found if found is not None and scheme in found.schemes else None


def _spoken(scheme: str) -> Connector | None:
    """The generic connector, where SQLAlchemy knows a dialect of this name."""
    generic: Any = connectors().get("generic")
    return generic if generic is not None and scheme and generic.speaks(scheme) else None


def connector_for(url: str) -> Connector:
    """The connector for a URL, by its scheme up to "+". Raises UsageError for an unknown one."""
    scheme = urlsplit(url).scheme
    found = (
        _own_connector(scheme)
        or connectors().get(scheme)
        or connectors().get(scheme.partition("+")[0])
        or _spoken(scheme)
    )
    if found is None:
        known = ", ".join(f"{s}://" for s in sorted(connectors()))
        what = f"unknown database scheme {scheme}://" if scheme else "a database is named by a URL"
        raise UsageError(f"{what}; there are {known}")
    return found
