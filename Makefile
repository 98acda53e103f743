# make run    set up, add the sample collection, answer a question, serve the page
# make test   set up what tests need and run them
# make help   the rest

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
QUESTION ?= Are emergent abilities of language models real, or an artefact of the metric?
COLLECTION ?= sample
PORT ?= 7860

.DEFAULT_GOAL := help
.PHONY: help setup run sample test lint stress eval bench lock clean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(VENV)/.run ## make .venv and install Footnoted in it

$(VENV)/.venv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with 'make PYTHON=…'"; exit 1; }
	@$(PYTHON) -m venv $(VENV) && touch $@

$(VENV)/.run: $(VENV)/.venv requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (about 840 MB, one to three minutes) …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements-dev.lock
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		{ test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq chromium; } || \
		echo "There is no Chromium here: the tests in a browser are skipped"
	@touch $@

run: sample ## add the sample collection, answer a question, serve the page
	@echo
	@$(BIN)/footnoted serve --collection $(COLLECTION) --port $(PORT)

sample: setup ## the same, without the page
	@$(BIN)/footnoted add --collection $(COLLECTION) data/daily_papers
	@echo
	@echo "$$ footnoted ask --collection $(COLLECTION) \"$(QUESTION)\""
	@echo
	@$(BIN)/footnoted ask --collection $(COLLECTION) "$(QUESTION)"
	@echo
	@echo "Ask more:   $(BIN)/footnoted ask --collection $(COLLECTION) \"How does GeneGPT work?\""
	@echo "Follow up:  $(BIN)/footnoted chat --collection $(COLLECTION)"
	@echo "Your own:   $(BIN)/footnoted add FILES, then $(BIN)/footnoted ask QUESTION"

test: $(VENV)/.test ## run the tests
	@$(BIN)/python -m pytest

lint: $(VENV)/.test ## style, types, order of modules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

stress: $(VENV)/.test ## kill commands, disturb them, read and write at once, for minutes
	@$(BIN)/python -m tests.stress
	@$(BIN)/python -m tests.stress faults
	@$(BIN)/python -m tests.stress load

eval: setup ## measure how well answers are grounded
	@$(BIN)/python -m eval run

bench: setup ## measure speed; figures go to eval/RESULTS.md
	@$(BIN)/python -m eval bench

lock: $(VENV)/.test ## choose versions anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		pyproject.toml --group dev -o requirements-dev.lock

clean: ## remove the environment and caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
