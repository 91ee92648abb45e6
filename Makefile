# Two commands set up everything: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
ARGS ?=

.PHONY: help install demo run worker test test-fast test-slow parity lint format bench soak docs figures base clean

help:
	@echo "make demo    install, open the arena on http://127.0.0.1:$(PORT)/, fine-tune in the background"
	@echo "make test    install, lint, run every test (on SQLite and, where reachable, PostgreSQL)"
	@echo "make run     the web process alone        make worker  the Celery worker alone"
	@echo "make lint    ruff, mypy, import-linter    make bench   ratios against named peers"
	@echo "make docs    check the pages              make base    train the demo's base from nothing (hours)"
	@echo "make figures draw docs/usual-practice.md  make test-slow  the long simulations"
	@echo "make soak    vote while web and worker are killed (minutes; PostgreSQL and Redis)"
	@echo "make parity  character similarity against dghs-imgutils, in .venv-parity"

# What a stamp stands for is installed; it is made again when the declared dependencies change.
$(VENV)/.demo: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 demo")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the arena, the renderer and the trainer into $(VENV) (a few minutes the first time)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	@echo "Installing the test tools…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

install: $(VENV)/.demo

# 130 is Ctrl-C, which is how a demo ends; the shell waits until it has.
demo: export ARENA_DEMO_STARTED := $(shell date +%s)
demo: $(VENV)/.demo
	@trap : INT; $(BIN)/python manage.py demo --port $(PORT) $(ARGS) || test $$? -eq 130

run: $(VENV)/.demo
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/gunicorn -c python:arena.serving arena.wsgi --bind 127.0.0.1:$(PORT) $(ARGS)

worker: $(VENV)/.demo
	$(BIN)/celery -A arena worker --pool solo --loglevel info $(ARGS)

test: $(VENV)/.test lint
	@.ci/test $(BIN) $(ARGS)

test-fast: $(VENV)/.test
	$(BIN)/python -m pytest -m 'not services and not browser and not loop and not slow' $(ARGS)

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow --timeout=3600 $(ARGS)

# dghs-imgutils needs numpy below 2, which is not made for Python 3.13 and newer.
.venv-parity/.installed: tests/parity/imgutils.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13) and "dghs-imgutils needs Python 3.12 or older, this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 parity")'
	@test -x .venv-parity/bin/python || $(PYTHON) -m venv .venv-parity
	@echo "Installing dghs-imgutils into .venv-parity (some minutes, once)…"
	@.venv-parity/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

parity: $(VENV)/.test .venv-parity/.installed
	$(BIN)/python -m pytest -m parity tests/parity $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks $(ARGS)

soak: $(VENV)/.test
	$(BIN)/python -m tests.soak $(ARGS)

figures: $(VENV)/.test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[figures]'
	$(BIN)/python -m tests.figures.usual_practice $(ARGS)
	$(BIN)/python -m tests.figures.modes

docs: $(VENV)/.test
	$(BIN)/python -m pytest -q tests/test_docs.py $(ARGS)

base: $(VENV)/.demo
	$(BIN)/python -m training dataset demo --out var/dataset
	$(BIN)/python -m training base all --data var/dataset --out var/base-build $(ARGS)

clean:
	rm -rf $(VENV) var build *.egg-info
