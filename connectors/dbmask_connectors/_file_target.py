"""What the targets that are one file share: whose file it is, how it takes its place, and how it goes back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from dbmask.errors import UsageError
from dbmask.spi import Capabilities, Previous
from dbmask_connectors._files import Building, exchange, file_identity, previous

__all__ = ["FileTarget"]


class FileTarget(ABC):
    """A replica in a file; what is built is built in a directory beside its place."""

    def __init__(self, path: Path, capabilities: Capabilities) -> None:
        self.path = path
        self._capabilities = capabilities
        self._building = Building(path)
        self._keep = 0
        self._in_place = False

    @property
    def capabilities(self) -> Capabilities:
        """What this kind of database can do."""
        return self._capabilities

    def identity(self) -> str:
        """Device and inode; empty where there is no file yet."""
        return file_identity(self.path)

    def check(self, overwrite: bool) -> None:
        """Raise UsageError unless the file is absent, empty, made by dbmask, or may be overwritten."""
        self._building.check_directory()
        if overwrite or not self.path.exists() or self.path.stat().st_size == 0:
            return
        if not self._is_ours(self.path):
            raise UsageError(f"{self.path} was not made by dbmask and is not empty (say --overwrite to replace it)")

    @abstractmethod
    def _is_ours(self, path: Path) -> bool:
        """Whether dbmask made the file."""

    @abstractmethod
    def _settle(self, path: Path) -> None:
        """Fold the write-ahead log of the file that is to be replaced into it: left behind, it would be applied to the new one."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Close the file that is being built, if there is one."""

    def publish(self) -> None:
        """Close the file and move it into place. Raises ConnectorError."""
        self._disconnect()
        self._settle(self.path)
        self._building.publish(self._keep)

    def replace_source(self) -> None:
        """The source is what the replica takes the place of."""
        self._in_place = True

    def keep_previous(self, count: int) -> None:
        """How many replaced files stay beside the target."""
        self._keep = count

    def previous(self) -> Sequence[Previous]:
        """The files that were replaced here and are kept, the latest first."""
        return previous(self.path)

    def roll_back(self, name: str) -> None:
        """Put a kept file back. Raises UsageError where dbmask made neither it nor the one that serves."""
        if not any(self._is_ours(p) for p in (self.path, Path(name)) if p.exists()):
            raise UsageError(f"neither {self.path} nor {name} was made by dbmask: it exchanges what it made itself")
        self._settle(self.path)
        exchange(self.path, Path(name))

    def abort(self) -> None:
        """Remove what is being built; a published file stays."""
        self._disconnect()
        self._building.remove()

    def close(self) -> None:
        """Close; what was not published is removed."""
        self.abort()
