# make demo   installs into .venv, fills a database from the embedded sandbox, and shows what it found
# make test   the same set-up with the tools of development, then style, types, tests and notebooks
# make coverage   the unit tests, with the share of each module's lines that they run (slower than `unit`)
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
MAESTRO := $(BIN)/maestro-analytics
DEMO_DATA := $(CURDIR)/data
NOTEBOOK_DATA := .venv/notebook-data
# Processes that the tests run in; tests/conftest.py says which stay together. One more than there are cores, because
# tests also wait: 632 s instead of 702 s on two cores.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
# Without nbmake, whose import builds 38 parsers, ten seconds in each process.
PYTEST := $(BIN)/pytest -n $(WORKERS) -p no:nbmake
# Images of containers often set it. uv leaves compiling to the first import, and each of the hundreds of commands that
# the tests run would compile all it imports again: 4.1 instead of 1.4 s of processor time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint types unit notebooks gallery coverage bench clean

demo: .venv/.installed
	MAESTRO_DATA=$(DEMO_DATA) $(MAESTRO) refresh --sandbox
	MAESTRO_DATA=$(DEMO_DATA)/sandbox $(MAESTRO) report agents
	MAESTRO_DATA=$(DEMO_DATA)/sandbox $(MAESTRO) report all --format html --output $(DEMO_DATA)/sandbox/report.html
	@printf '\nOpen %s in a browser, or try:\n' data/sandbox/report.html
	@printf '  %s\n' "$(MAESTRO) report coaching" \
	    "$(MAESTRO) sql 'select * from ordinary_grades limit 5'" \
	    "$(MAESTRO) lab"

test: lint types unit notebooks

lint: .venv/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.developed
	$(BIN)/mypy

unit: .venv/.developed
	$(PYTEST) --durations=10

notebooks: .venv/.developed
	rm -rf $(NOTEBOOK_DATA)
	MAESTRO_DATA=$(NOTEBOOK_DATA) $(MAESTRO) refresh --sandbox
	MAESTRO_DATA=$(CURDIR)/$(NOTEBOOK_DATA)/sandbox PATH="$(CURDIR)/$(BIN):$$PATH" \
	    $(BIN)/pytest -n $(WORKERS) --nbmake --nbmake-timeout=120 notebooks

# Executed copies of the notebooks, with pictures; commit them when they say something new.
gallery: .venv/.developed
	rm -rf $(NOTEBOOK_DATA)
	MAESTRO_DATA=$(NOTEBOOK_DATA) $(MAESTRO) refresh --sandbox
	MAESTRO_DATA=$(CURDIR)/$(NOTEBOOK_DATA)/sandbox PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python gallery/make.py

coverage: .venv/.developed
	$(PYTEST) --cov=maestro_analytics --cov-report=term:skip-covered

bench: .venv/.benched
	$(BIN)/python -m tests.benchmarks

EXTRAS := dev,lab,lake,spark,excel,mcp

PIP := -m pip --quiet --disable-pip-version-check
with_pip = $(PYTHON) -m venv .venv && $(BIN)/python $(PIP) install -c constraints.txt $(1)

# uv installs in a fifth of the time that pip takes; pip takes over where uv reaches no index.
install = $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt pip -e '.[$(1)]' \
    || { $(call with_pip,-e '.[$(1)]'); }

# Python takes 5 s to put its own pip there, uv a tenth of a second; so the pip beside PYTHON, if any, installs uv.
.venv/bin/python:
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) $(PIP) --python $(BIN)/python install -c constraints.txt uv || { $(call with_pip,uv); } || true

.venv/.installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing into .venv (a minute or two the first time)"
	$(call install,lab)
	touch $@

.venv/.developed: .venv/.installed
	$(call install,$(EXTRAS))
	touch $@

.venv/.benched: .venv/.developed
	$(call install,bench)
	touch $@

clean:
	rm -rf .venv
