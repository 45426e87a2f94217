"""The workers of a run share one server, and with it its roles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dbmask.proxy import install_harden

__all__ = ["among_own_roles"]


@contextmanager
def among_own_roles(*names: str) -> Iterator[None]:
    """Let --harden give PUBLIC's rights to this process' roles and to ``names``: others' could not be dropped by their tests."""
    listed = ", ".join(f"'{name}'" for name in ("", *names))
    query = install_harden._OTHERS.replace(
        "WHERE", f"WHERE (rolname IN ({listed}) OR position('{os.getpid()}' IN rolname) > 0) AND"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(install_harden, "_OTHERS", query)
        yield
