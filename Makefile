# The few things one does again and again; each sets up what it needs.
BIN := .venv/bin

.PHONY: test check bench demo-example

test: .venv/installed  ## all tests
	$(BIN)/pytest -n 2

check: .venv/installed  ## lint, format, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed  ## the figures that the README quotes
	$(BIN)/python -m benchmarks

demo-example: .venv/installed  ## a real training run, headless
	$(BIN)/backprop-tui --no-ui run examples/train_digits.py

# Installed again only when pyproject.toml changed.
.venv/installed: pyproject.toml
	python3 -m venv .venv
	$(BIN)/pip install -q -e '.[dev]'
	touch $@
