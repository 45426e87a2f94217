# make demo | test | quick | check | coverage | bench | clean
.DEFAULT_GOAL := help
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
# Two workers: the tests' servers share the machine with them.
JOBS ?= 2

.PHONY: help demo test quick check bench clean
help:
	@echo "make demo    clone a small shop database into a masked replica and show both"
	@echo "make test    every test, on real servers that the tests start for themselves, and the coverage that must be complete"
	@echo "make quick   the tests for the loop, under two minutes"
	@echo "make check   format, lint, types, layers"
	@echo "make bench   the benchmarks, as a table and JSON"
	@echo "make clean   remove what these made"

demo:
	@scripts/setup.sh demo
	@.venv/bin/dbmask demo --dir demo

check:
	@scripts/setup.sh dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

quick:
	@scripts/setup.sh dev
	@scripts/servers.sh
	$(PYTEST) -q -n $(JOBS) -m "not slow"

test:
	@scripts/setup.sh dev
	@scripts/servers.sh
	$(PYTEST) -q -n $(JOBS) --cov --cov-report= --cov-report=json:.coverage.json
	@$(PY) scripts/coverage_gate.py .coverage.json

bench:
	@scripts/setup.sh dev
	@scripts/servers.sh pgbouncer
	@$(PY) -m pip install -q --disable-pip-version-check -c constraints.txt -r benchmarks/rivals.txt
	$(PY) benchmarks/run.py

clean:
	rm -rf .venv demo dist build .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
