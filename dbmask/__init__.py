"""dbmask makes production data safe to use: masked clones, masked queries and masked files from one policy.

Public names are loaded when they are first used, so that ``import dbmask`` costs nothing.
"""

from __future__ import annotations

from dbmask.lazy import loader

__version__ = "0.1.0"

_WHERE = {
    "DbmaskError": "dbmask.errors",
    "MaskMe": "dbmask.files",
    "Masker": "dbmask.files",
    "Policy": "dbmask.policy",
    "clone": "dbmask.cloner",
    "plan": "dbmask.planner",
}

__all__ = ["DbmaskError", "MaskMe", "Masker", "Policy", "__version__", "clone", "plan"]


__getattr__ = loader(__name__, _WHERE)


def __dir__() -> list[str]:
    return sorted(__all__)
