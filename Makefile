# CoinDojo: `make help` lists the targets. Each sets up .venv by itself.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.installed
# Two processes of one thread each: two of two threads would wait for each other.
PYTEST := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal
DEMO_TRIALS ?= 10
PROPERTIES := $(shell grep -rl "max_examples=examples" tests --include=*.py)

.DEFAULT_GOAL := help
.PHONY: help demo test test-all explore lint format bench dashboard clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1 /' | awk '{name=$$1; $$1=""; printf "  make %-10s%s\n", name, $$0}'

demo: $(SETUP) ## optimize, train, backtest and report on the built-in simulated market (under 10 minutes)
	$(BIN)/python optimize.py --reward sortino --trials $(DEMO_TRIALS)
	$(BIN)/python train.py --reward sortino
	$(BIN)/python backtest.py

test: lint ## ruff, mypy and the quick tests
	$(PYTEST) -m "not slow" tests

test-all: $(SETUP) ## what `make test` leaves out: long tests, large cases, all random cases, and the promises broken on purpose
	$(PYTEST) -m slow tests
	COINDOJO_CASES=all $(PYTEST) -m "not slow and hypothesis" $(PROPERTIES)
	$(BIN)/python -m benchmarks.mutations

explore: $(SETUP) ## random cases that no run has drawn before; what they find, they find once
	HYPOTHESIS_PROFILE=explore $(PYTEST) -m "not slow and hypothesis" $(PROPERTIES)

lint: $(SETUP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(SETUP) ## let ruff lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(SETUP) ## the benchmarks
	$(BIN)/python -m benchmarks.env
	$(BIN)/python -m benchmarks.market
	$(BIN)/python -m benchmarks.features
	$(BIN)/python -m benchmarks.agents
	$(BIN)/python -m benchmarks.optimum
	$(BIN)/python -m benchmarks.known_answers
	$(BIN)/python -m benchmarks.simulated_markets
	$(BIN)/python -m benchmarks.forecasters
	$(BIN)/python -m benchmarks.interactions
	$(BIN)/python -m benchmarks.images
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.backtest
	$(BIN)/python -m benchmarks.installation

dashboard: $(SETUP) ## open the studies in a browser
	$(BIN)/optuna-dashboard sqlite:///studies/coindojo.db

clean: ## remove the virtual environment and all caches; runs and studies stay
	rm -rf .venv .venv-peers cache build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made again when the dependencies change; the marker is written last, so an interrupted set-up is repeated.
$(SETUP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,dev,download,scale]'
	touch $(SETUP)
