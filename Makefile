# Everything of layerkit's own goes into .venv; nothing else on the machine is touched, but for `make test` on Debian as root,
# which installs the programs the tests judge by (tests/install-system-packages).

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint type bench fuzz man vendor clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

setup: .venv/.installed ## A virtual environment in .venv with layerkit and what its tests need

demo: .venv/.installed ## Fix and push a real image to a registry that refuses it as it is (1 to 2 minutes)
	@$(BIN)/python -m demo

test: .venv/.installed ## All tests; says what it skips and why
	@tests/install-system-packages
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/.installed ## Format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

type: .venv/.installed ## Types, strictly
	@$(BIN)/mypy

bench: .venv/.installed-bench ## layerkit and its alternatives, measured side by side (SIZE=full: the 6 GB layer)
	@$(BIN)/python -m benchmarks $(ARGS)

fuzz: .venv/.installed ## Inputs that nobody thought of, for some minutes (MINUTES=5 SEED=1)
	@nice $(BIN)/python -m fuzz --minutes $(or $(MINUTES),5) --seed $(or $(SEED),1) $(ARGS)

man: .venv/.installed ## Write the man pages again, from the commands' own help
	@rm -f man/*.1
	@$(BIN)/python -m layerkit.cli.man man

vendor: ## Fetch the chart library of the HTML page again, as its authors publish it (needs npm)
	@layerkit/report/page/files/d3-hierarchy/fetch

clean: ## Remove .venv and everything that was built
	rm -rf .venv build layerkit.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "layerkit needs Python 3.11 or newer (PYTHON=...)")'
	@echo "setting up .venv (once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/.installed-bench: .venv/.installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	@touch $@
