# Two commands: `make run` starts everything on this machine, `make test` proves that it works.
# Both need no more than Python 3.11, git and make; what they fetch, they fetch once.

PYTHON ?= python3
ARGS ?=
ALL = --numprocesses 2 --dist worksteal
LAYERS = unit integration system
TESTS = $(if $(filter $(LAYERS),$(firstword $(ARGS))),-m $(ARGS) $(ALL),$(or $(ARGS),$(ALL)))
.DEFAULT_GOAL := help
.PHONY: help run setup test coverage check format box bench screenshots lock clean

help: ## Show what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## Set up what running needs: packages, private servers, front-end files
	@$(PYTHON) -m deploy.local.bootstrap
	@.venv/bin/python -m deploy.local.prepare

run: setup ## Start everything on this machine (options: make run ARGS="--http 8080")
	@.venv/bin/anshou up $(ARGS)

box: setup ## Make the file that a gateway's box installs (dist/anshou-*.whl)
	@.venv/bin/python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir dist .
	@ls dist/anshou-*.whl

.PHONY: setup-dev
setup-dev:
	@$(PYTHON) -m deploy.local.bootstrap --dev
	@.venv/bin/python -m deploy.local.prepare --dev

test: setup-dev ## Run all tests against real servers and a real browser (ARGS=unit, ARGS="tests/care -k alarm")
	@.venv/bin/python -m deploy.local.chromium
	@.venv/bin/python -m pytest $(TESTS)

coverage: setup-dev ## Branch coverage of the product's rooms, its own processes counted (ARGS as for test)
	@.venv/bin/python -m deploy.local.chromium
	@.venv/bin/coverage erase
	@.venv/bin/coverage run -m pytest $(TESTS)
	@.venv/bin/coverage combine --quiet
	@.venv/bin/coverage report

check: setup-dev ## Lint, formatting, types, scripts, and which room may import which
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/python -m deploy.local.node node_modules/eslint/bin/eslint.js --max-warnings 0

format: setup-dev ## Put the code into shape
	@.venv/bin/ruff check --fix-only .
	@.venv/bin/ruff format .

bench: setup-dev ## Measure what docs/performance.md quotes
	@.venv/bin/python -m benchmarks $(ARGS)

screenshots: setup-dev ## Take the README's pictures anew, while `make run` goes on
	@.venv/bin/python -m deploy.local.chromium
	@.venv/bin/python -m deploy.screenshots

LOCK = .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --custom-compile-command "make lock" --extra local --group build --group instruments \
	--no-emit-package anshou --no-emit-package anshou-centre

lock: setup-dev ## Make the lock files anew from pyproject.toml and package.json
	@$(LOCK) pyproject.toml -o requirements.lock
	@$(LOCK) --group dev --constraints requirements.lock pyproject.toml -o requirements-dev.lock
	@.venv/bin/python -m deploy.local.frontend lock
	@$(MAKE) --no-print-directory setup-dev

clean: ## Remove what was made in this folder; the data and the cache stay
	@rm -rf .venv build dist node_modules dashboard/static/vendor .mypy_cache .ruff_cache \
		.pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
