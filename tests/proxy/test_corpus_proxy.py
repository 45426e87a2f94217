"""The corpus over raw sockets, through the proxy."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbmask.masks.build import example_keys
from dbmask.proxy.backend import Address
from dbmask.proxy.install import install, uninstall
from dbmask.proxy.rewrite import Rewriter
from dbmask.proxy.rewrite_catalog import load_catalog
from dbmask.proxy.scram import Client, verifier
from dbmask.proxy.server import Proxy
from tests.fix_postgres import Postgres
from tests.proxy.corpus import corpus, corpus_database, corpus_policy
from tests.proxy.test_corpus_role_alone import leaks
from tests.proxy.wire import Wire, messages

DATABASE = f"through_{os.getpid()}"
ROLE = f"reader_{os.getpid()}"
WORD = "of_these_tests"


class ProxyWire(Wire):
    """A Wire that logs in by SCRAM."""

    def open(self) -> bool:
        self.start = len(self.received)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        self.socket.connect(self.path)
        given = {"user": self.user, "database": self.database, **self.startup}
        body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in given.items()) + b"\0"
        self.raw(struct.pack("!ii", len(body) + 8, self.version) + body)
        exchange = Client(WORD)
        if not self._code(10):
            return False
        first = exchange.first()
        self.send("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
        challenge = self._code(11)
        if not challenge:
            return False
        self.send("p", exchange.answer(challenge[4:]))
        return self.until_ready()

    def _code(self, code: int) -> bytes:
        while True:
            for kind, body in messages(self.received[self.start :]):
                if kind == "R" and struct.unpack("!i", body[:4])[0] == code:
                    return body
            if not self._more():
                return b""


@pytest.fixture(scope="module")
def through(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("p") / "s"
    with corpus_database(postgres, DATABASE) as url:
        install(corpus_policy(), url, ROLE, keys=example_keys(), harden=True, password=WORD)
        with psycopg.connect(postgres.url(DATABASE, ROLE, WORD), autocommit=True) as connection:
            rewriter = Rewriter(load_catalog(connection))
        address = Address(postgres.host, postgres.port, ROLE, DATABASE, WORD)
        proxy = Proxy(address, {"ana": verifier(WORD), "dm_user": verifier(WORD)}, rewriter)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        async def start() -> asyncio.Server:
            return await proxy.serve_unix(str(path))

        asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        try:
            yield path
        finally:
            asyncio.run_coroutine_threadsafe(proxy.close(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()
            uninstall(url, ROLE)


# A view has no pages to sample: PostgreSQL refuses with 0A000.
NOT_SUPPORTED = {"tablesample"}


def run(path: Path, attack: Any, texts: list[Any]) -> bytes:
    startup = dict(attack.get("startup", {}))
    wire = ProxyWire(str(path), startup.pop("user", "ana"), DATABASE, startup)
    if wire.open():
        for text in texts:
            wire.query(bytes.fromhex(text["hexq"]) if isinstance(text, dict) else text)
        for step in attack.get("proto", []):
            wire.step([*step[:1], "now()", []] if step[0] == "F" else step, {"now()": 1299})
    wire.close()
    return wire.received


@pytest.mark.parametrize("attack", corpus()["attacks"], ids=lambda a: str(a["id"]))
def test_no_raw_value_comes_through(through: Path, attack: Any) -> None:
    received = run(through, attack, attack["sql"])
    assert not leaks(received, attack.get("leak_regex"))
    errors = [b for k, b in messages(received) if k == "E"]
    if attack["id"] in NOT_SUPPORTED:
        assert any(b"C0A000" in e for e in errors)
    elif attack["must"] in ("masked", "allow"):
        assert not errors, errors
    if attack["must"] == "error":
        assert any(b"C" + s.encode() in e for e in errors for s in attack["sqlstate"]), errors
