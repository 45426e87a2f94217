"""What all tests share: the servers, and how Hypothesis runs."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fix_mariadb", "tests.fix_postgres"]

# A shared machine is slow at times; a test that is slow is found by its timeout.
settings.register_profile("dbmask", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("dbmask")
