"""What all tests share: the servers, and how Hypothesis runs."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fix_mariadb", "tests.fix_postgres"]

# A shared machine is slow at times; a test that is slow is found by its timeout.
settings.register_profile("dbmask", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("dbmask")


@pytest.fixture(scope="session", autouse=True)
def _own_state() -> Iterator[None]:
    """Runs of the tests are noted in a directory of their own, not in the user's."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
        yield


# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start would ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SLOW = tuple(str(Path(__file__).parent / name) for name in ("proxy", "cloner", "connectors"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What works on servers from end to end is left to ``make test``; ``make quick`` is for the loop."""
    for item in items:
        if str(item.path).startswith(_SLOW):
            item.add_marker(pytest.mark.slow)
