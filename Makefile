# Two commands: `make demo` runs the whole way on a simulated company, `make test` runs all checks and tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := true
# Threads that wait must not spin: on a busy machine that makes training ten times slower.
export OMP_WAIT_POLICY := PASSIVE
export UV_PYTHON_PREFERENCE := only-system
# Bytecode is compiled at set-up: where it may not be written and is not there, each start costs ten seconds more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test golden setup spark lock docs lint bench clean

demo: setup
	$(BIN)/holdfast demo

test: setup lint
	$(BIN)/coverage erase
	$(BIN)/pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations=25 --cov --cov-report=term --cov-fail-under=90

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The SQL kept under tests/features/snapshots/golden, written anew after a change that is meant.
golden: setup
	$(BIN)/pytest -q --update-golden tests/features/snapshots/test_golden.py

setup: $(VENV)/.done
	@$(BIN)/python -m compileall -q features models training serving holdfast params.py

$(VENV)/.done: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install -q --require-hashes -r requirements-setup.lock
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

# Spark is large (450 MB): its tests run where it is there, and it takes Java 17 or later.
spark: setup
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-spark.lock

lock: setup
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --extra dev --extra postgres pyproject.toml requirements-build.in -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --constraint requirements.lock requirements-spark.in -o requirements-spark.lock

docs: setup
	$(BIN)/python -m docs.build

bench: setup
	$(BIN)/python -m benchmarks.run
	@echo "Of the service, with data that holdfast publish has published: $(BIN)/python -m benchmarks.serving"

clean:
	rm -rf $(VENV) data .pytest_cache .mypy_cache .ruff_cache
