"""Replicas that were replaced: how many stay, and putting one back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from dbmask.errors import UsageError
from dbmask.policy.model import Policy
from dbmask.registry import connector_for
from dbmask.spi import KeepsPrevious, Previous, Target

__all__ = ["keep_replaced", "previous_replicas", "rollback"]

_USUAL = 1


def keep_replaced(target: Target, policy: Policy, count: int | None) -> None:
    """Tell a target how many replaced replicas stay: ``count``, else the policy's ``keep_previous:``, else 1.

    Raises UsageError where that is no such number, and where a number was given that this kind of target cannot keep.
    """
    wanted = policy.sections.get("keep_previous") if count is None else count
    if wanted is not None and (not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0):
        raise UsageError("`keep_previous` is a number of replicas, 0 or more")
    if isinstance(target, KeepsPrevious):
        target.keep_previous(_USUAL if wanted is None else wanted)
    elif wanted:
        raise UsageError("this kind of target cannot keep the replica that it replaces (--keep-previous 0 says so)")


def _keeping(target: Target) -> KeepsPrevious:
    if not isinstance(target, KeepsPrevious):
        raise UsageError("this kind of target keeps no previous replicas")
    return target


def previous_replicas(target: str) -> Sequence[Previous]:
    """What is kept beside the target (a URL), the latest first. Raises UsageError and ConnectorError."""
    with closing(connector_for(target).target(target)) as made:
        return _keeping(made).previous()


def rollback(target: str, to: str | None = None) -> Previous:
    """Put a kept replica back in the place of ``target`` (a URL): the one named ``to``, else the latest.

    What served till now is kept in its stead, so that a second call undoes the first. Returns what was put back.
    Raises UsageError where there is none, or where dbmask made neither of the two; ConnectorError with all as it was.
    """
    with closing(connector_for(target).target(target)) as made:
        keeping = _keeping(made)
        kept = keeping.previous()
        if not kept:
            raise UsageError(
                "no previous replica is kept beside this target (`dbmask clone --keep-previous N` keeps some)"
            )
        chosen = kept[0] if to is None else next((k for k in kept if k.name == to), None)
        if chosen is None:
            raise UsageError(f"{to} is none of the replicas that are kept: {', '.join(k.name for k in kept)}")
        keeping.roll_back(chosen.name)
        return chosen
