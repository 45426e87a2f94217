"""The ledger's seals: nothing shows, nothing can be changed, every use has a key of its own."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import UsageError
from dbmask.keys import KeyRing, MasterKey
from dbmask.state.seal import Sealer, sealer_for

MASTER = MasterKey(bytes(range(32)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=10
)


@given(VALUES, st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_again(value: Any, about: str) -> None:
    assert Sealer(MASTER).open(Sealer(MASTER).seal(value, about), about) == value


def test_a_seal_shows_nothing_and_holds() -> None:
    sealer = Sealer(MASTER)
    sealed = sealer.seal(["alice@example.com"], "t")
    assert b"alice" not in sealed and sealed != sealer.seal(["alice@example.com"], "t")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for data, about, by in (
        (changed, "t", sealer),
        (sealed, "u", sealer),
        (sealed, "t", Sealer(MasterKey(b"x" * 32))),
        (b"", "t", sealer),
    ):
        with pytest.raises(UsageError, match="another masking key"):
            by.open(data, about)
    assert repr(sealer) == "Sealer(...)"


def test_checksums_and_tokens_are_keyed() -> None:
    one, other = Sealer(MASTER), Sealer(MasterKey(b"x" * 32))
    assert one.checksum(b"rows") == one.checksum(b"rows") != other.checksum(b"rows")
    assert one.token("a", "b") == one.token("a", "b") != other.token("a", "b")
    assert one.token("ab", "") != one.token("a", "b") and len(one.token("a")) == 32


def test_without_a_masking_key_a_secret_of_the_machine_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    sealed = sealer_for(KeyRing(None), folder).seal(1, "t")
    assert sealer_for(KeyRing(None), folder).open(sealed, "t") == 1
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="another masking key"):
        sealer_for(KeyRing(MASTER), folder).open(sealed, "t")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be used"):
        sealer_for(KeyRing(None), tmp_path / "file")
