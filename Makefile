# One entry for everything. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help setup demo test soak serve bench docs lint format migrate-check

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PACKAGES := billing_core connectors gateway portal tests

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A stamp per set of extras: installing runs once per change of the two files that decide what is installed.
$(VENV)/bin/python:
	python3 -c 'import sys; sys.exit("Tallygate needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	python3 -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,test,docs]'
	@touch $@

$(VENV)/.installed-demo: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,test,docs,demo]'
	@touch $@

setup: $(VENV)/.installed ## create .venv with everything pinned

demo: $(VENV)/.installed-demo ## play the main job on real input, show the invoice, keep serving (ARGS=--exit stops)
	$(BIN)/python -m gateway.demo $(ARGS)

serve: $(VENV)/.installed ## embedded gateway on http://127.0.0.1:8000, data in ./.tallygate
	$(BIN)/tallygate serve $(ARGS)

lint: $(VENV)/.installed ## ruff, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --explicit-package-bases $(PACKAGES)
	$(BIN)/lint-imports

format: $(VENV)/.installed ## format, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed ## build the documentation into site/
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

# pytest comes last: its `-ra` summary names what was skipped and why, and its counts are the closing line.
test: lint docs ## everything this machine can run; the last lines say what was skipped and why
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(VENV)/.installed ## the full-length storms, properties and kills
	TALLYGATE_SOAK=1 $(BIN)/python -m pytest -m "slow or soak" $(ARGS)

bench: $(VENV)/.installed ## the goal ratios on this machine with their limits (ARGS=--quick: under two minutes)
	$(BIN)/python -m tests.bench $(ARGS)

migrate-check: $(VENV)/.installed ## migrations: up, down, up and no drift from the tables
	$(BIN)/python -m pytest -q tests/e2e/test_migrations.py $(ARGS)
