"""Processes that a clone in chunks is going to need, started while its structure is read: they take half a second to be there."""

from __future__ import annotations

from dataclasses import dataclass

from dbmask.cloner.keeper import Keeper
from dbmask.cloner.workers import Workers
from dbmask.spi import ChunkedTarget, SharedSource, Source, Target

__all__ = ["Early", "goes_in_chunks"]


def goes_in_chunks(source: Source, target: Target) -> bool:
    """Whether both databases can work in chunks, and speak the same language."""
    same = source.capabilities.dialect == target.capabilities.dialect
    return isinstance(source, SharedSource) and isinstance(target, ChunkedTarget) and same


@dataclass
class Early:
    """What was started, until somebody takes it. Leaving the block ends what nobody took."""

    keeper: Keeper | None = None
    workers: Workers | None = None

    @classmethod
    def start(cls, urls: tuple[str, str], jobs: int, held: bool, grace: float) -> Early:
        """``jobs`` workers where there is more than one, and a keeper where a snapshot is to be ``held``."""
        made = cls(Keeper.start(urls[0], grace) if held else None)
        made.workers = Workers(urls, jobs) if jobs > 1 else None
        return made

    def take_keeper(self) -> Keeper | None:
        """The keeper, which is the caller's from now on."""
        keeper, self.keeper = self.keeper, None
        return keeper

    def take_workers(self) -> Workers | None:
        """The workers, which are the caller's from now on."""
        workers, self.workers = self.workers, None
        return workers

    def end(self) -> None:
        """End what nobody took."""
        workers, keeper = self.take_workers(), self.take_keeper()
        if workers is not None:
            workers.end()
        if keeper is not None:
            keeper.end()

    def __enter__(self) -> Early:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
