# Every target makes .venv first; nothing else has to be installed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all lint bench docs clean

demo: .venv/demo
	$(BIN)/python examples/private_matching/demo.py

# A process for each core; the tests of a file stay in one.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

test: .venv/test
	$(PYTEST)

# More examples in the slowest property tests.
test-all: .venv/test
	DUCKPRIV_THOROUGH=1 $(PYTEST)

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make bench ONLY=psi runs a part
bench: .venv/test
	$(BIN)/python -m benchmarks.run $(ONLY)

# Writes docs/functions.md anew from the registry.
docs: .venv/test
	$(BIN)/python -m docs.reference > docs/functions.md

clean:
	rm -rf .venv build dist demo *.egg-info

# .venv/demo, .venv/test and .venv/lint say that the package is installed with that extra.
.venv/%: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --disable-pip-version-check --editable '.[$*]'
	touch $@
