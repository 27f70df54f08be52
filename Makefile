# Each target is one command on a fresh clone of a machine with Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Every target installs the versions in constraints.txt, which `make raise` writes.
INSTALL := install --quiet --disable-pip-version-check --constraint constraints.txt
PIP := $(BIN)/python -m pip $(INSTALL)
# What the benchmarks compare with; it has an environment of its own.
PEERS := tools/bench/peers.txt
# It looks for the packages in the environment of the first python on the path.
PYRIGHT := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pyright

# The tests start thousands of short processes, which need not compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

# One more than two cores have: the tests wait for servers and for processes of their own.
WORKERS ?= 3

.PHONY: help demo quick test test-long slow check wheel sync peers bench scale docs soak fuzz mutants audit sbom raise
help:
	@echo "make demo     run the main job against a simulated Character Library"
	@echo "make quick    run the unit and property tests: no server, no browser"
	@echo "make test     run the suite: everything that proves a promise"
	@echo "make test-long  run the long series: kills, faults and combinations, all of them"
	@echo "make slow     run tests with delays where a busy machine puts them; ARGS says which"
	@echo "make check    format, lint, types, generated half"
	@echo "make wheel    try the built wheel with the oldest and the newest versions of all it needs"
	@echo "make sync     generate the sync half from the async one"
	@echo "make peers    install what the benchmarks compare with (1 GB)"
	@echo "make bench    measure, as ratios; writes docs/benchmarks"
	@echo "make scale    draw for 2,000 characters or an hour, with 1, 2 and 4 workers; writes docs/benchmarks"
	@echo "make docs     build the documentation"
	@echo "make soak     histories, inputs, races and failures, many more than in the suite"
	@echo "make fuzz     inputs that are led by what they reach in the code (atheris, Linux)"
	@echo "make mutants  change the code in small ways and demand that tests see it"
	@echo "make audit    ask for known vulnerabilities of what is installed with charimg"
	@echo "make sbom     write the bill of materials, dist/sbom.json"
	@echo "make raise    raise the versions that all of this uses, in constraints.txt"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "charimg needs Python 3.11 or later; set PYTHON=")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.local: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) -e '.[local]'
	@touch $@

$(VENV)/.quick: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.local

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.quick $(VENV)/.local

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/.fuzz: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) -e '.[dev,fuzz]'
	@touch $@ $(VENV)/.dev $(VENV)/.quick $(VENV)/.local

$(VENV)/.peers: constraints.txt $(PEERS) | $(BIN)/python
	@$(PYTHON) -m venv $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip $(INSTALL) -r $(PEERS)
	@touch $@

$(VENV)/.supply: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) -e '.[supply]'
	@touch $@

$(VENV)/.uv: constraints.txt | $(BIN)/python
	@$(PIP) uv
	@touch $@

demo: $(VENV)/.local
	@$(BIN)/charimg demo

quick: $(VENV)/.quick
	@$(BIN)/python -m pytest -n $(WORKERS) --quick $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python tools/unasync.py --check
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report= $(ARGS)
	@$(BIN)/python tools/coverage_gate.py

test-long: $(VENV)/.dev
	@$(BIN)/python -m pytest -n $(WORKERS) -m long $(ARGS)

slow: $(VENV)/.dev
	@$(BIN)/python -m pytest -n $(WORKERS) -p tests.delays $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/python -m ruff format --check -q .
	@$(BIN)/python -m ruff check -q .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m mypy tools
	@$(PYRIGHT)
	@$(PYRIGHT) --verifytypes charimg --ignoreexternal >$(VENV)/.verifytypes || { cat $(VENV)/.verifytypes; exit 1; }
	@$(BIN)/python tools/unasync.py --check

wheel: $(VENV)/.dev
	@$(BIN)/python tools/check_wheel.py

sync: $(VENV)/.dev
	@$(BIN)/python tools/unasync.py

peers: $(VENV)/.peers

bench: $(VENV)/.dev $(VENV)/.peers
	@PYTHONPATH=tools:. $(BIN)/python -m bench $(if $(ARGS),$(ARGS),--write docs/benchmarks)

scale: $(VENV)/.dev
	@PYTHONPATH=tools:. $(BIN)/python -m bench.large $(if $(ARGS),$(ARGS),--write docs/benchmarks)

docs: $(VENV)/.docs
	@$(BIN)/python -m sphinx -W -q -b html docs docs/_build
	@echo "docs/_build/index.html"

soak: $(VENV)/.dev
	@CHARIMG_SOAK=2000x50 CHARIMG_FUZZ=30 $(BIN)/python -m pytest -n $(WORKERS) \
	  tests/machines tests/race tests/crash/test_faults.py tests/stores/*/test_*_random_calls.py \
	  tests/web/test_openapi.py $(ARGS)

fuzz: $(VENV)/.fuzz
	@$(BIN)/python tools/fuzz.py $(ARGS)

mutants: $(VENV)/.dev
	@PYTHONPATH=tools $(BIN)/python -m mutants $(ARGS)

audit: $(VENV)/.supply
	@tools/supply.sh audit

sbom: $(VENV)/.supply
	@tools/supply.sh sbom

# For every Python that charimg runs on. Only names and versions: no setting of this machine.
raise: $(VENV)/.uv
	@$(BIN)/uv pip compile pyproject.toml $(PEERS) --all-extras --upgrade --quiet \
	  --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
	  --output-file $(CURDIR)/constraints.txt
