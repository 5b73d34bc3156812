# The commands of the house; `make` alone lists them. Each sets up what it needs, once:
#   .venv                        Python, with this checkout installed so that edits take effect
#   FOLDER/node_modules          the official npm clients and the examples' pages
# Needed beforehand: make and Python 3.11 (Node 20 for `demo` and `saas`, and Chromium too for `test`).

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
NPM_CI := npm ci --no-audit --no-fund --loglevel=error
# Folders of tests that drive official npm packages. A folder joins by having a package-lock.json.
NPM_TESTS := $(patsubst %/package-lock.json,%,$(wildcard tests/*/package-lock.json))
NPM_CHAT := examples/chat
NPM_SAAS := examples/saas
NPM_EXAMPLES := $(NPM_CHAT) $(NPM_SAAS)
ARGS ?=
# Test processes at once; more than cores makes nothing faster.
JOBS ?= 2
# Hundreds of servers are started by the tests: each would compile the whole house anew.
unexport PYTHONDONTWRITEBYTECODE
SECONDS ?= 600

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: .make/python $(NPM_CHAT)/node_modules/.package-lock.json ## Start the chat example: a scripted session, then the page
	@cd $(NPM_CHAT) && npm run --silent build -- --logLevel warn
	@$(BIN)/python examples/demo.py

.PHONY: saas
saas: .make/python $(NPM_SAAS)/node_modules/.package-lock.json ## Start the SaaS example: sign-in, webhooks, payments, and a stand-in for the provider
	@$(BIN)/python examples/saas/run.py

.PHONY: test
test: needs-test .make/python $(NPM_TESTS:=/node_modules/.package-lock.json) $(NPM_EXAMPLES:=/node_modules/.package-lock.json) ## Run the test suite (ARGS="-k name" goes to pytest, JOBS=0 runs one test after the other)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

.PHONY: soak
soak: .make/python ## Look for anomalies of isolation with one seed after the other (SECONDS=600 for each kind of server)
	@REWAKE_ISOLATION_SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/isolation/test_histories.py -s $(ARGS)

.PHONY: check
check: .make/python $(NPM_EXAMPLES:=/node_modules/.package-lock.json) ## Lint, formatting, types, floors, known vulnerabilities
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "run: make format"; exit 1; }
	@$(BIN)/mypy --strict src
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/python .ci/audit
	@for folder in $(NPM_EXAMPLES); do (cd $$folder && npm run --silent check) || exit 1; done

.PHONY: format
format: .make/python ## Put the code into its form
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

.PHONY: bench
bench: .make/bench-packages ## Measure against floors in the same run (ONLY="fan_out mixed" some questions; benchmarks/README.md)
	@$(BIN)/python -m benchmarks $(ONLY)

.PHONY: setup-system
setup-system: ## Install what the machine lacks (Debian and Ubuntu, as root)
	@.ci/needs install

.PHONY: clean
clean: ## Forget everything that these commands made
	rm -rf .venv .make $(NPM_EXAMPLES:=/node_modules) $(NPM_EXAMPLES:=/dist) $(NPM_TESTS:=/node_modules)

.PHONY: needs-python needs-node needs-test
needs-python:
	@.ci/needs check python
needs-node:
	@.ci/needs check node
needs-test:
	@.ci/needs check python git node chromium

$(BIN)/python: | needs-python
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv

.make/python: pyproject.toml src/rewake/version.py $(BIN)/python
	@mkdir -p .make
	@echo "Installing Python packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.make/bench-packages: .make/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

# npm writes this file itself at the end of an install, so a deleted node_modules is never taken for a full one.
%/node_modules/.package-lock.json: %/package-lock.json | needs-node
	@echo "Installing npm packages in $*"
	@cd $* && $(NPM_CI)
	@touch $@
