"""The small database behind a proxy that the tests of clients share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fix_postgres import Postgres
from tests.proxy.shop import Shop, shop


@pytest.fixture(scope="session")
def place(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(postgres, tmp_path_factory.mktemp("shop")) as made:
        yield made
