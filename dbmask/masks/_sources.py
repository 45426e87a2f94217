"""What a masked entity depends on, where that is not the entity alone: keys that answer for something else.

A mask draws from ``key.prf(value)``. A :class:`SourcedRing` hands it keys that mix in other material, and where the
entity itself is no source, leave the value out: the n-th draw for one entity then depends on the material and n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dbmask.keys import ColumnKey, KeyRing, hkdf

__all__ = ["Material", "SourcedRing", "column_material", "framed"]


def framed(parts: Sequence[bytes | None]) -> bytes:
    """Several parts as one, so that different sequences never read alike."""
    return b"".join(b"~" if part is None else b"%d:%s," % (len(part), part) for part in parts)


def column_material(texts: Sequence[str | None], value: str) -> bytes:
    """The material of some sources, in their order. For one that is null or empty the value itself stands."""
    return framed([(text or f"\0{value}").encode("utf-8", "surrogatepass") for text in texts])


@dataclass
class Material:
    """What the keys of one ring mix in just now.

    ``with_self``: the value counts too. ``bound``: a mask made something of the key when it was bound.
    """

    with_self: bool
    current: bytes = b""
    draws: dict[str, dict[bytes, int]] = field(default_factory=dict)
    bound: bool = False

    def use(self, material: bytes) -> None:
        """Mask the next entity by this material."""
        self.current = material
        self.draws.clear()

    def data(self, key: str, value: bytes) -> bytes:
        """What is drawn from instead of ``value``."""
        if self.with_self:
            return framed([self.current, value])
        known = self.draws.setdefault(key, {})
        return framed([self.current, b"%d" % known.setdefault(value, len(known))])


class _SourcedKey(ColumnKey):
    """A column key whose PRF mixes in the material."""

    __slots__ = ("_base", "_material")

    def __init__(self, base: ColumnKey, material: Material) -> None:
        self._base = base
        self._material = material
        super().__init__(base.name, base.secret())

    def prf(self, data: bytes) -> bytes:
        """The PRF of the material, and of ``data`` where the entity is a source."""
        return self._base.prf(self._material.data(self.name, data))

    def short(self, data: bytes) -> bytes:
        """The PRF: its input has no fixed length here."""
        return self.prf(data)

    def sub(self, label: str) -> ColumnKey:
        """The sub-key, which mixes in the same material."""
        return _SourcedKey(self._base.sub(label), self._material)

    def secret(self, length: int = 32) -> bytes:
        """Key material for another primitive, derived with the material: what is made of it must be bound anew each time."""
        self._material.bound = True
        return hkdf(self._base.prf(framed([b"secret", self._material.current])), b"dbmask/1 sourced", length)


class SourcedRing(KeyRing):
    """The keys of ``base``, each mixing in ``material``."""

    def __init__(self, base: KeyRing, material: Material) -> None:
        super().__init__(None, base.epoch)
        self._base = base
        self._material = material

    def column(self, domain: str) -> ColumnKey:
        """The key of ``domain``. Raises KeySourceError where the run has no master key."""
        return _SourcedKey(self._base.column(domain), self._material)

    def fingerprint(self) -> str:
        """The fingerprint of the ring below."""
        return self._base.fingerprint()
