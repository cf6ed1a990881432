# `make demo` runs the whole way on a simulated company, `make test` runs all checks and tests; while you work, `make fast`
# says in less than a minute whether lint, types and the quick tests pass.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := true
# Threads that wait must not spin: on a busy machine that makes training ten times slower.
export OMP_WAIT_POLICY := PASSIVE
export UV_PYTHON_PREFERENCE := only-system
# Bytecode is compiled at set-up: where it may not be written and is not there, each start costs ten seconds more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test fast coverage attack audit golden lint setup spark notebooks lock docs pictures bench gate mutation nightly clean

demo: setup
	$(BIN)/holdfast demo

fast: lint
	@echo "Quick tests (marked unit: no process is started, no model fitted, no company stored):"
	$(BIN)/pytest -q -n 2 --dist loadgroup -m unit

test: lint
	$(BIN)/pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations=25

# The tests of what SECURITY.md promises, with many more tries; it says at the end what was tried.
attack: setup
	$(BIN)/pytest -n 2 --dist loadgroup --no-loadscope-reorder --attack tests/security tests/test_killed.py \
		tests/serving/access tests/serving/outlets tests/serving/forgetting tests/serving/service/test_access.py tests/serving/service/test_damage.py \
		tests/serving/service/test_openapi.py tests/serving/service/test_publication_file.py \
		tests/serving/service/test_running.py tests/training/tracking/test_bundle.py

# Known vulnerabilities of what the locks hold. It asks PyPI, and fails where that cannot be had: see SECURITY.md.
audit: $(VENV)-audit/.done
	for lock in requirements*.lock; do \
		$(VENV)-audit/bin/pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; \
	done

$(VENV)-audit/.done: requirements-audit.lock
	$(PYTHON) -m venv --clear $(VENV)-audit
	$(VENV)-audit/bin/pip install -q --require-hashes -r requirements-audit.lock
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The SQL kept under tests/features/snapshots/golden, written anew after a change that is meant.
golden: setup
	$(BIN)/pytest -q --update-golden tests/features/snapshots/test_golden.py

setup: $(VENV)/.done
	@$(BIN)/python -m compileall -q features models training serving holdfast params.py params_outlets.py params_reading.py params_signals.py params_team.py

$(VENV)/.done: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install -q --require-hashes -r requirements-setup.lock
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

# Spark is large (450 MB): its tests run where it is there, and it takes Java 17 or later.
spark: setup
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-spark.lock

# The notebooks in JupyterLab, on loopback, over the data folder of `make demo` unless HOLDFAST_SET names another.
notebooks: export HOLDFAST_SET ?= data_dir=../data
notebooks: setup
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-notebooks.lock
	$(BIN)/jupyter lab --ip=127.0.0.1 notebooks

lock: setup
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --extra dev --extra postgres --extra mcp --extra effects pyproject.toml requirements-build.in -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --constraint requirements.lock requirements-spark.in -o requirements-spark.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --constraint requirements.lock requirements-notebooks.in -o requirements-notebooks.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --constraint requirements.lock requirements-mutation.in -o requirements-mutation.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --constraint requirements.lock requirements-audit.in -o requirements-audit.lock

docs: setup
	$(BIN)/python -m docs.build

# The README's pictures, of what `make demo`, `holdfast backtest` and `holdfast publish` made; they take Chromium.
pictures: setup
	$(BIN)/python -m docs.pictures

# Ratios of CPU time within one run: fails where work costs more of what is simplest than it did.
gate: setup
	$(BIN)/python -m benchmarks.gate

bench: setup
	$(BIN)/python -m benchmarks.run
	@echo "Of the service, with data that holdfast publish has published: $(BIN)/python -m benchmarks.serving"

# Mutants of the arithmetic that everything rests on, and which of them the tests let live; a second run goes on where
# the first stopped.
MUTATION_MINUTES ?= 60
mutation: setup
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements-mutation.lock
	$(BIN)/python -m benchmarks.mutation --minutes $(MUTATION_MINUTES)

# All tests again, with the share of the code that they reach; watching costs a third more.
coverage: setup
	$(BIN)/coverage erase
	$(BIN)/pytest -n 2 --dist loadgroup --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90

# What takes too long for every change: all tests and what they reach, more kills, a year of nights, simulated worlds against their truth, mutants. Commit docs/nightly.md.
nightly: lint coverage
	$(BIN)/pytest -n 2 --dist loadgroup --attack tests/test_killed.py tests/holdfast/test_year.py
	$(BIN)/python -m benchmarks.run --only truth --worlds 5
	$(MAKE) mutation
	$(BIN)/python -m benchmarks.nightly

clean:
	rm -rf $(VENV) $(VENV)-audit data mutants .pytest_cache .mypy_cache .ruff_cache
