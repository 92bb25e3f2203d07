# cloud-terminal: `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Whatever a target makes goes into .venv or .cache, and nowhere else; only `make run` keeps its database, in data/.
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.cache/hypothesis
export PYTHONPATH := $(CURDIR)
# Compiled files are kept: importing without them costs every process a second.
unexport PYTHONDONTWRITEBYTECODE
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

.PHONY: demo
demo: $(VENV)/.ready ## Watch sales on the whole system, trouble and recovery included (under a minute)
	@$(BIN)/python -m sandbox.demo

.PHONY: run
run: $(VENV)/.ready ## Run API and workers on SQLite (data/), with a RabbitMQ that is found or started for them
	@$(BIN)/python -m sandbox.servers --only rabbitmq -- \
	  sh -c 'CLOUD_TERMINAL_AMQP_URL="$$TEST_AMQP_URL" exec $(BIN)/python -m cli all-in-one'

.PHONY: sandbox
sandbox: $(VENV)/.ready ## Run API, terminal, cash register, banks, HiPay and merchant with their pages (ARGS="--by-hand")
	@$(BIN)/python -m cli sandbox $(ARGS)

.PHONY: test
test: $(VENV)/.ready ## Run the whole test suite against a real RabbitMQ and both databases
	@$(BIN)/python -m sandbox.servers -- $(BIN)/pytest -n auto --dist worksteal $(ARGS)

.PHONY: test-browser
test-browser: .cache/browser-venv/.ready ## Drive the sandbox's pages in Chromium (SCREENSHOTS=docs/images takes pictures)
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { echo "Chromium is missing. On Debian or Ubuntu: sudo apt-get install chromium" >&2; exit 1; }
	@SCREENSHOTS="$(SCREENSHOTS)" .cache/browser-venv/bin/python -m sandbox.servers --only rabbitmq -- \
	  .cache/browser-venv/bin/pytest tests/browser $(ARGS)

.PHONY: sandbox-sums
sandbox-sums: $(VENV)/.ready ## Pay, reverse and credit 1,000 times at random, through the API, and compare all sums (N=)
	@$(BIN)/python -m sandbox.servers --only rabbitmq -- $(BIN)/pytest tests/e2e/test_sandbox_random.py \
	  --sandbox-payments $(or $(N),1000) $(ARGS)

.PHONY: lint
lint: $(VENV)/.ready ## Check style, types, import directions and security (bandit)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .cache/import-linter
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive \
	  api terminal_worker notifier_worker shared sandbox cli clients/python

.PHONY: format
format: $(VENV)/.ready ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: simulate
simulate: $(VENV)/.ready ## Run seeded histories with faults: N=1000 of them from SEED=1 on, over all cores
	@$(BIN)/python -m tests.simulation --n $(or $(N),1000) --seed $(or $(SEED),1)

.PHONY: mutations
mutations: $(VENV)/.ready ## Make deliberate mistakes and show that each is caught, by the simulation or by races
	@$(BIN)/python -m tests.simulation.mutations
	@$(BIN)/python -m sandbox.servers -- $(BIN)/pytest -v $(ARGS) \
	  tests/integration/shared/storage/test_deliberate_mistakes.py tests/integration/shared/storage/functions

.PHONY: faults
faults: $(VENV)/.ready ## Kill and pause real processes at every named step, on PostgreSQL
	@$(BIN)/python -m sandbox.servers -- $(BIN)/pytest tests/faults --full-faults $(ARGS)

.PHONY: hostile
hostile: $(VENV)/.ready ## Attack real processes on real servers, and print what it costs others (10 minutes)
	@$(BIN)/python -m sandbox.servers -- $(BIN)/pytest tests/hostile --hostile -q $(ARGS)

.PHONY: rolling
rolling: $(VENV)/.ready ## Replace every replica of every process under load, behind HAProxy: no client notices (2 minutes)
	@$(BIN)/python -m sandbox.servers -- $(BIN)/pytest tests/rolling --rolling -q $(ARGS)

.PHONY: wireguard
wireguard: $(VENV)/.ready ## Pay on a terminal behind a WireGuard tunnel, in network namespaces (root, wireguard-tools, wireguard-go)
	@PYTHON=$(BIN)/python tests/wireguard/trial

.PHONY: test-operations
test-operations: $(VENV)/.ready ## Type the handbook's commands on real servers: TLS, backups, secrets, a restore (1 minute)
	@$(BIN)/python -m sandbox.servers -- $(BIN)/pytest tests/operations --operations -q $(ARGS)

.PHONY: test-upgrade
test-upgrade: $(VENV)/.ready ## Run the previous release's processes on this release's schema, beside this release's
	@$(BIN)/python -m sandbox.servers -- $(BIN)/pytest tests/upgrade --upgrade -q $(ARGS)

.PHONY: test-monitoring
test-monitoring: $(VENV)/.ready ## Let a real Prometheus watch traffic and faults, and answer every panel and rule (4 minutes)
	@$(BIN)/python -m sandbox.servers --only postgres -- $(BIN)/pytest tests/monitoring --monitoring -q $(ARGS)

.PHONY: entered-files
entered-files: $(VENV)/.ready ## Count the product's files that a usual debit enters, HTTP to terminal and back
	@$(BIN)/python -m sandbox.servers -- $(BIN)/pytest -q -s tests/e2e/entered_files.py

.PHONY: bench-quick
bench-quick: $(VENV)/.ready ## A payment against a bare request and reply over RabbitMQ, and its CPU by process (60 s)
	@$(BIN)/python -m sandbox.servers -- $(BIN)/python -m bench.quick

.PHONY: bench
bench: .cache/bench-venv/.ready ## Measure everything (10 minutes), or parts: ARGS="latency rate"; ARGS=--write renews the page
	@.cache/bench-venv/bin/python -m sandbox.servers -- .cache/bench-venv/bin/python -m bench $(ARGS)

.PHONY: bench-growth
bench-growth: $(VENV)/.ready ## Compare each statement's cost in a small and a large database (ARGS="--large 100000:10000000")
	@$(BIN)/python -m sandbox.servers -- $(BIN)/python -m bench.growth.compare $(ARGS)

.PHONY: release-begin
release-begin: $(VENV)/.ready ## Write VERSION=0.2.0 everywhere and as the changelog's heading; then commit and make release
	@$(BIN)/python scripts/release.py begin $(VERSION)
	@git --no-pager diff --stat

.PHONY: release
release: $(VENV)/.ready ## Check everything, then build wheels, bill of materials and image; says how to tag
	@$(BIN)/python scripts/release.py check
	$(MAKE) lint test docs wheels test-install
	@docker info >/dev/null 2>&1 || echo "No Docker engine answers: the image is not built." >&2
	@! docker info >/dev/null 2>&1 || docker build --target production \
	  --build-arg VERSION="$$($(BIN)/python scripts/release.py version)" --build-arg REVISION="$$(git rev-parse HEAD)" \
	  -t cloud-terminal:"$$($(BIN)/python scripts/release.py version)" .
	@$(BIN)/python scripts/release.py sums
	@version="v$$($(BIN)/python scripts/release.py version)"; \
	  echo "dist/ is ready. Tag it: git tag -a $$version -m $$version && git push origin $$version"

.PHONY: wheels
wheels: $(VENV)/.ready ## Build the wheels of server and client, and the server's bill of materials, into dist/
	@rm -rf dist .cache/release-venv
	@$(BIN)/uv build -q --wheel --no-build-isolation --out-dir dist .
	@$(BIN)/uv build -q --wheel --no-build-isolation --out-dir dist clients/python
	@$(BIN)/uv venv -q --python $(BIN)/python .cache/release-venv
	@VIRTUAL_ENV=$(CURDIR)/.cache/release-venv $(BIN)/uv pip install -q --require-hashes -r requirements/run.txt
	@VIRTUAL_ENV=$(CURDIR)/.cache/release-venv $(BIN)/uv pip install -q --no-deps dist/cloud_terminal-*.whl
	@env -u PYTHONPATH .cache/release-venv/bin/python scripts/write_sbom.py > dist/cloud-terminal.cdx.json
	@ls -1 dist

.PHONY: test-install
test-install: $(VENV)/.ready ## Install the wheels of dist/ with uv and pipx: the sandbox starts, the client pays (1 minute)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m sandbox.servers --only rabbitmq -- \
	  $(BIN)/pytest tests/install --install -q $(ARGS)

.PHONY: test-typescript
test-typescript: $(VENV)/.ready ## Generate a TypeScript client from the document and pay with it (needs node; a minute)
	@command -v npm >/dev/null || { echo "npm is missing. On Debian or Ubuntu: sudo apt-get install npm" >&2; exit 1; }
	@$(BIN)/python -m sandbox.servers --only rabbitmq -- $(BIN)/pytest tests/typescript --typescript -q $(ARGS)

.PHONY: bench-operator
bench-operator: $(VENV)/.ready ## Time searches and totals on PostgreSQL with N=1000000 payments, and their indexes' cost
	@$(BIN)/python -m sandbox.servers -- $(BIN)/python -m bench.investigation --payments $(or $(N),1000000)

.PHONY: docs
docs: $(VENV)/.ready ## Write the generated files (settings, metrics, diagrams, outcomes), build the site into .cache/site
	$(BIN)/python -m shared.settings.reference > docs/reference/settings.md
	$(BIN)/python -m shared.metrics.reference > docs/reference/metrics.md
	$(BIN)/python scripts/write_dashboards.py
	$(BIN)/python -m shared.payment.diagram
	$(BIN)/python -m sandbox.terminal.script.outcomes_reference > docs/sandbox/outcomes.md
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "The docs are at $(CURDIR)/.cache/site/index.html"

.PHONY: up-compose
up-compose: ## Build and start the whole system with docker compose, sandbox terminal included
	CLOUD_TERMINAL_REVISION="$$(git rev-parse HEAD)" docker compose --profile sandbox up --build --wait

.PHONY: scale-compose
scale-compose: ## Scale docker compose, pay 200 orders, kill one of each kind in the middle: nothing is lost
	$(BIN)/python -m tests.compose.scale

.PHONY: rolling-compose
rolling-compose: ## Replace every container under load by deploy/rolling-upgrade: no client notices
	$(BIN)/python -m tests.compose.rolling

.PHONY: walk-compose
walk-compose: ## Type the handbook's drill in a clone: kill a worker, settle, upgrade, destroy, restore (15 minutes)
	@PYTHONPATH=$(CURDIR):$(CURDIR)/tests/support $(BIN)/python -m tests.compose.walk

.PHONY: test-compose
test-compose: $(VENV)/.ready ## Bring docker compose up, pay through it, take it down (needs a Docker engine)
	$(BIN)/python -m tests.compose.pay

.PHONY: lock
lock: $(VENV)/bin/uv ## Resolve the dependencies into requirements/ (UPGRADE=1 takes the newest)
	$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate $(if $(UPGRADE),--upgrade) -o requirements/run.txt >/dev/null
	$(BIN)/uv pip compile -q pyproject.toml --extra otel --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate $(if $(UPGRADE),--upgrade) -o requirements/otel.txt >/dev/null
	$(BIN)/uv pip compile -q pyproject.toml --extra otel --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate $(if $(UPGRADE),--upgrade) -o requirements/dev.txt >/dev/null
	$(BIN)/uv pip compile -q pyproject.toml --group dev --group browser --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate $(if $(UPGRADE),--upgrade) -o requirements/browser.txt >/dev/null
	$(BIN)/uv pip compile -q pyproject.toml --group dev --group bench --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate $(if $(UPGRADE),--upgrade) -o requirements/bench.txt >/dev/null

.PHONY: setup
setup: $(VENV)/.ready ## Make .venv with the locked dependencies

.PHONY: clean
clean: ## Remove .venv and .cache
	rm -rf $(VENV) .cache

$(VENV)/bin/uv:
	@scripts/make-venv $(PYTHON) $(VENV) $(UV_VERSION)

$(VENV)/.ready: requirements/dev.txt pyproject.toml clients/python/pyproject.toml | $(VENV)/bin/uv
	@echo "Installing the locked dependencies into $(VENV) ..." >&2
	@$(BIN)/uv pip sync -q --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation -e . -e clients/python
	@touch $@

# Beside .venv: playwright is large, and most have no use for it or for the frameworks of the benchmark.
.cache/%-venv/.ready: requirements/%.txt | $(VENV)/bin/uv
	@echo "Installing requirements/$*.txt into .cache/$*-venv ..." >&2
	@$(BIN)/uv venv -q --allow-existing --python $(BIN)/python .cache/$*-venv
	@VIRTUAL_ENV=$(CURDIR)/.cache/$*-venv $(BIN)/uv pip sync -q --require-hashes requirements/$*.txt
	@touch $@
