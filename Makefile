# Every verb of the project. `make` lists them; arguments go in ARGS, as in: make demo ARGS='--output json'
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ARGS ?=
# Two workers suit two cores, and each starts servers of its own. One group of tests stays on one worker.
WORKERS ?= 2

bin := .venv/bin
python := $(bin)/python
code := controller tests benchmarks

.PHONY: help
help: ## List the verbs (default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: dev-env ## Make .venv with everything the tests and the checks need

.PHONY: dev-env run-env
dev-env:
	@scripts/setup dev
run-env:
	@scripts/setup runtime

.PHONY: tools
tools: dev-env ## Build the servers in Go that the tests start (once: about 20 minutes on 2 cores)
	@scripts/tools >/dev/null

.PHONY: demo
demo: run-env ## Show the product on real traffic (ARGS='--output json', '--keep')
	@$(bin)/tidegate demo $(ARGS)

.PHONY: demo-kubernetes
demo-kubernetes: run-env ## The same on an API server with Contour and Envoy (builds them once; ARGS as above)
	@scripts/tools etcd kubernetes contour gateway-api helm >/dev/null
	@$(bin)/tidegate demo --kubernetes $(ARGS)

.PHONY: test
test: tools ## Run the tests, after building what they need (ARGS='tests/parts -k envoy')
	@$(python) -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

.PHONY: laws
laws: dev-env ## Run the property laws with many more examples than `make test`
	@HYPOTHESIS_PROFILE=thorough $(python) -m pytest -n $(WORKERS) --timeout 1800 tests/laws $(ARGS)

.PHONY: check
check: format-check lint types layers test ## Everything that must be green before a commit

.PHONY: format
format: dev-env ## Rewrite the code in the project's format
	@$(bin)/ruff format $(code) docs
	@$(bin)/ruff check --fix-only --quiet $(code) docs

.PHONY: format-check
format-check: dev-env
	@$(bin)/ruff format --check $(code) docs

.PHONY: lint
lint: dev-env ## Look for mistakes in the code
	@$(bin)/ruff check $(code) docs

.PHONY: types
types: dev-env ## Check the types, strictly
	@$(bin)/mypy $(code)

.PHONY: layers
layers: dev-env ## Check that imports go down the house only
	@$(bin)/lint-imports

.PHONY: bench
bench: dev-env ## Measure how fast and how small (prints a table)
	@scripts/tools prometheus >/dev/null
	@$(python) benchmarks/run.py $(ARGS)

.PHONY: bench-decisions
bench-decisions: dev-env ## Compare decisions with the peers' rules; writes a page (ARGS='--quick', '--output json')
	@$(python) -m benchmarks.decisions.run $(ARGS)

.PHONY: bench-kubernetes
bench-kubernetes: dev-env ## Measure the controller on a real API server (ARGS='--quick', '--write-page')
	@scripts/tools etcd kubernetes gateway-api helm >/dev/null
	@$(python) -m benchmarks.kubernetes.run $(ARGS)

.PHONY: docs
docs: dev-env ## Fill the generated parts of the docs and redraw the picture
	@$(python) -m docs.generate $(ARGS)

.PHONY: schema
schema: dev-env ## Write the JSON Schema and the CRD from the spec's models
	@$(python) -m controller.spec.generate

.PHONY: manifests
manifests: dev-env schema ## Write manifests/controller.yaml from the Helm chart's defaults
	@scripts/tools helm >/dev/null && scripts/manifests

compile := $(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: lock
lock: dev-env ## Pin the newest versions the *.in files allow (ARGS=--upgrade to move them)
	@echo 'requirements.lock' && $(compile) $(ARGS) requirements.in --output-file requirements.lock
	@echo 'requirements-dev.lock' && $(compile) $(ARGS) --constraints requirements.lock requirements-dev.in --output-file requirements-dev.lock
	@echo 'requirements-go.lock' && $(compile) $(ARGS) requirements-go.in --output-file requirements-go.lock

.PHONY: clean
clean: ## Remove what was built, downloaded and cached in this folder
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache build *.egg-info
	@find controller tests -name __pycache__ -type d -prune -exec rm -rf {} +
