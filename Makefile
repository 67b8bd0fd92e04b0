# The common tasks; each installs what it needs into .venv.
BIN := .venv/bin

.PHONY: test quick check docs bench hooks demo-example

test: .venv/installed  ## all tests (about 15 minutes on 2 cores)
	$(BIN)/pytest -n 3 --dist worksteal

quick: .venv/installed  ## the tests that start no processes and no dashboard (under a minute)
	$(BIN)/pytest -q -n 3 -m "not e2e and not slow and not frameworks" --hypothesis-profile=quick

check: .venv/installed  ## lint, format, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/installed  ## the site, in build/site; a broken link is an error
	$(BIN)/pip install -q -e '.[docs]'
	$(BIN)/sphinx-build -q -W --keep-going -c docs . build/site

bench: .venv/installed  ## the figures in benchmarks/README.md
	$(BIN)/python -m benchmarks

hooks: .venv/installed  ## run the checks before each commit (needs pre-commit on PATH)
	pre-commit install

demo-example: .venv/installed  ## a real training run, headless
	$(BIN)/backprop-tui --no-ui run examples/train_digits.py

# Installed again only when pyproject.toml changed.
.venv/installed: pyproject.toml
	python3 -m venv .venv
	$(BIN)/pip install -q -e '.[dev]'
	touch $@
