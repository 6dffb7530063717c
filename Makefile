# Everything a person or CI runs on this project. `make help` lists it.
#
# Settings, given on the command line or in the environment:
#   PYTHON       the interpreter the virtual environment is made with (3.11 or later)
#   TORCH        another torch: a requirement (TORCH=torch==2.11.0) or a build of the pinned release (TORCH=cu130)
#   TORCH_INDEX  address of the PyTorch wheel index that holds that build
#   JOBS         how many test processes; one more than there are cores, as some tests wait

PYTHON ?= python3
VENV ?= .venv
JOBS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((cores < 8 ? cores + 1 : 8)))
TORCH ?=
TORCH_INDEX ?=

BIN := $(VENV)/bin
PINNED := $(BIN)/python -m pip --disable-pip-version-check install -c $(VENV)/constraints.txt
HAS_GPU := $(shell command -v nvidia-smi 2>/dev/null)
SLOW_MARKS := $(if $(HAS_GPU),(slow or gpu),slow and not gpu) and not network and not soak

TORCH_PIN := $(shell sed -n 's/^torch==//p' constraints.txt)
TORCH_WANTED := $(or $(filter torch%,$(TORCH)),torch==$(TORCH_PIN)$(if $(TORCH),+$(TORCH)))
TORCH_SMALL := $(if $(TORCH)$(TORCH_INDEX)$(HAS_GPU),,torch==$(TORCH_PIN)+cpu)
TORCH_NOTE := no GPU seen and no CPU build of torch at hand: on Linux the usual build brings gigabytes of CUDA libraries; \
  make install TORCH_INDEX=URL (the PyTorch wheel index for CPU) avoids them

# One thread a test process: tests run side by side and torch would otherwise start a thread a core in each. Where the
# environment says that no bytecode is to be written, every process would compile all modules and tests anew.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(JOBS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test test-slow test-all test-again lint format bench scoreboard audit docs clean distclean FORCE
.DELETE_ON_ERROR:

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  make install TORCH_INDEX=URL             torch from that PyTorch wheel index (a small CPU build, say)"
	@echo "  make install TORCH=cu130 TORCH_INDEX=URL the CUDA 13.0 build of torch $(TORCH_PIN)"
	@echo "  make install TORCH=torch==2.11.0         another release"
	@echo "  make PYTHON=python3.13 install           another interpreter, for a new .venv"

install: $(VENV)/.installed  ## put bend and what it needs into .venv
	@echo "bend is installed: run $(BIN)/bend --help"

install-dev: $(VENV)/.installed-dev  ## the same, with the tests' and linters' tools

demo: $(VENV)/.installed  ## photos in, faces turning into rocks out: see demo/index.html
	$(BIN)/bend demo -o demo

test: $(VENV)/.installed-dev  ## the quick tests: no GPU, no network, under two minutes
	$(PYTEST)

test-slow: $(VENV)/.installed-dev  ## only the slow tests (and the GPU's, where there is one)
	$(PYTEST) -m "$(SLOW_MARKS)" --durations 5

test-all: test test-slow  ## the quick tests, then the slow ones

test-again: $(VENV)/.installed-dev  ## only the tests that failed the last time, one at a time
	OMP_NUM_THREADS=1 $(BIN)/pytest --last-failed --last-failed-no-failures none -m "not network and not soak"

lint: $(VENV)/.installed-dev  ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/licences.py

format: $(VENV)/.installed-dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## run every script in benchmarks/
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

scoreboard: $(VENV)/.installed-dev  ## the reliability suites in their long form, and their figures (half an hour)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.reliability.scoreboard

audit: $(VENV)/.installed-dev  ## known vulnerabilities in what is installed; needs pip-audit in .venv, and the network
	$(BIN)/pip-audit --skip-editable

docs: $(VENV)/.installed-dev  ## write docs/commands/ anew from the commands' help
	$(BIN)/python docs/generate.py

clean:  ## remove caches and built files; keeps .venv, runs and pictures
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean  ## the same, and .venv
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Error: bend needs Python 3.11 or later; \
	run make PYTHON=python3.13 install (or whichever you have)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch comes first and by itself, so that no later step replaces a chosen build. Without a choice and without a GPU the
# CPU build is tried first; where pip knows of none, the usual build follows.
$(VENV)/.torch: $(if $(TORCH)$(TORCH_INDEX),FORCE) | $(VENV)/constraints.txt
	@$(if $(TORCH_SMALL),$(PINNED) "$(TORCH_SMALL)" 2>/dev/null || echo "$(TORCH_NOTE)")
	$(PINNED) $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") "$(TORCH_WANTED)"
	@touch $@

# torch is chosen above: its line must not undo the choice.
$(VENV)/constraints.txt: constraints.txt | $(BIN)/python
	sed '/^torch==/d' constraints.txt > $@

$(VENV)/.installed: pyproject.toml $(VENV)/constraints.txt $(VENV)/.torch
	$(PINNED) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PINNED) -q -e '.[dev]'
	@touch $@

FORCE:
