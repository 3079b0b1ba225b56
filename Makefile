# `make demo` and `make test` set up everything that they need; a fresh machine needs Python 3.11+ and make, no more.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint bench bench-speed docs clean

$(VENV)/run.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[dev]'
	touch $@

demo: $(VENV)/run.stamp
	$(BIN)/python demo/run.py

test: $(VENV)/dev.stamp
	$(BIN)/bianlian models pull
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check src tests tools demo
	$(BIN)/ruff check src tests tools demo
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(VENV)/run.stamp
	$(BIN)/bianlian bench

bench-speed: $(VENV)/run.stamp
	$(BIN)/bianlian models pull
	$(BIN)/python tools/bench_speed.py

docs: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests/docs

clean:
	rm -rf $(VENV) demo/out
