"""The corpus over raw sockets, through the proxy: every required outcome."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from dbmask.masks.build import example_keys
from dbmask.proxy.install import install, uninstall
from tests.fix_postgres import Postgres
from tests.proxy.corpus import corpus, corpus_database, corpus_oids, corpus_policy
from tests.proxy.outcomes import attempt, other_session, require
from tests.proxy.proxied import WORD, Proxied, proxied
from tests.proxy.wire import Wire

DATABASE = f"through_{os.getpid()}"
ROLE = f"reader_{os.getpid()}"


@dataclass(frozen=True)
class Place:
    proxy: Proxied
    oids: dict[str, int]
    direct: dict[str, Any]

    def connect(self, startup: Mapping[str, str]) -> Wire:
        rest = {k: v for k, v in startup.items() if k != "user"}
        return self.proxy.wire("dm_user", rest)


@pytest.fixture(scope="module")
def place(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with corpus_database(postgres, DATABASE) as url:
        path = f"{postgres.socket_dir}/.s.PGSQL.{postgres.port}"
        direct = {
            a["id"]: attempt(lambda given: Wire(path, "dm_user", DATABASE, given), a, a["sql"], {}).said
            for a in corpus()["attacks"]
            if a["must"] == "allow"
        }
        oids = corpus_oids(postgres, DATABASE)
        install(corpus_policy(), url, ROLE, keys=example_keys(), harden=True, password=WORD)
        try:
            with proxied(postgres, DATABASE, ROLE, tmp_path_factory.mktemp("p")) as proxy:
                yield Place(proxy, oids, direct)
        finally:
            uninstall(url, ROLE)


@pytest.mark.parametrize("attack", corpus()["attacks"], ids=lambda a: str(a["id"]))
def test_every_outcome_is_the_required_one(place: Place, attack: Any) -> None:
    with other_session(place.connect, attack):
        require(place.connect, attack, place.oids, place.direct)
