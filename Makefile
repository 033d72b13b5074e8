# make demo   set up, then make universes, tune a network on them and test it: `kedro run`
# make test   set up, then run every test
# make docs   set up, then build the documentation site in build/site; DOCS_EXECUTE=true runs its notebooks
# make check  what CI runs: format, lint, types, contracts, sanitizers, and make test
#
# Needs Python >= 3.11 and a C++17 compiler. Everything is installed into .venv, in the versions of constraints.txt.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export DO_NOT_TRACK := 1
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt # of the isolated build too

SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(shell find csrc -name '*.?pp')

.PHONY: demo test docs check clean

demo: .venv/.demo
	$(BIN)/kedro run

# a process a core, of one thread each: networks of 16-pixel maps gain nothing by more
test: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses=4 --dist loadfile

docs: .venv/.test
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

check:
	.ci/run

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "multifield needs Python 3.11 or newer, found " + sys.version)'
	$(PYTHON) -m venv .venv

# torch first and by its exact version: a range would let pip choose a build of several GB
.venv/.demo: $(SOURCES) | .venv/bin/python
	$(PIP) install --quiet $$(grep '^torch==' constraints.txt)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[viz]'
	touch $@

.venv/.test: $(SOURCES) | .venv/bin/python
	$(PIP) install --quiet $$(grep '^torch==' constraints.txt)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[viz,dev]'
	touch $@ .venv/.demo

clean:
	rm -rf .venv .skbuild build .mypy_cache .pytest_cache .ruff_cache .hypothesis
