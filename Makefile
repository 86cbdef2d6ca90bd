# `make up` and `make test` are all a fresh machine needs: both build the environment first.
# A distribution's Python first: it is built with profiles, as one compiled by hand seldom is, and is a fifth faster.
PYTHON ?= $(or $(shell for each in /usr/bin/python3.11 python3.11 python3; do \
	$$each -c 'import ensurepip' 2>/dev/null && echo $$each && break; done), python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: up quick test campaigns test-zones test-oldest check fmt lock demo verify fuzz abuse graphiql npm clean \
	clients release-schema constraints wheel

up: $(INSTALLED)
	@$(BIN)/propdesk up

# Three processes on two cores: many tests wait for processes of their own.
PROCESSES ?= 3

test: $(INSTALLED)
	@$(BIN)/pytest -rs -n $(PROCESSES) --dist worksteal -m "not campaign"

# What needs no database, property tests with few examples: before each commit.
quick: $(INSTALLED)
	@HYPOTHESIS_PROFILE=quick $(BIN)/pytest -q -n 2 -m pure tests/domain tests/house tests/api

# The tests that take long: each bench at a tiny size, the journey with two workers.
campaigns: $(INSTALLED)
	@$(BIN)/pytest -rs -n $(PROCESSES) --dist worksteal -m campaign

# The same days, verdicts and payouts wherever the machine stands; `make test-zones ZONED=tests` for all of them.
ZONED ?= $(addprefix tests/domain/test_,calendar.py days.py derivation.py payouts.py ledger.py) \
	tests/services/test_journey.py

test-zones: $(INSTALLED)
	@for zone in UTC America/New_York Asia/Kathmandu; do \
		echo "TZ=$$zone"; TZ=$$zone $(BIN)/pytest -q $(ZONED) || exit 1; \
	done

# The same on the oldest PostgreSQL that is supported, Debian's: `make test-oldest ON_OLDEST=tests` for all of them.
OLDEST ?= /usr/lib/postgresql/15/bin
ON_OLDEST ?= tests/models tests/config/test_database.py tests/config/test_requirements.py \
	$(addprefix tests/services/test_,accounts.py actions.py events.py exports.py jobs.py journey.py lists.py marks.py \
	payments.py programs.py quotes.py retention.py verify.py voids.py)

test-oldest: $(INSTALLED)
	@if [ -x $(OLDEST)/initdb ]; then \
		TEST_POSTGRES_BIN=$(OLDEST) $(BIN)/pytest -q -rs -n $(PROCESSES) --dist worksteal -m "not campaign" $(ON_OLDEST); \
	else echo "SKIPPED: there is no PostgreSQL in $(OLDEST) (.ci/services installs Debian's)"; fi

check: $(INSTALLED)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/house

fmt: $(INSTALLED)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(INSTALLED)
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock
	@$(MAKE) --no-print-directory constraints

# What runs in production, in the versions of the lock: deploy/requirements.txt with hashes, and deploy/constraints.txt
# without, as `pip install --constraint` wants them. Each extra but dev is in both.
EXTRAS := embedded rabbitmq redis

constraints: $(INSTALLED)
	@$(BIN)/uv pip compile pyproject.toml $(addprefix --extra ,$(EXTRAS)) --constraint requirements.lock --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet \
		--output-file deploy/requirements.txt
	@sed -n 's/^\([a-z0-9].*[^ \\]\) *\\$$/\1/p' deploy/requirements.txt >deploy/constraints.txt

# dist/propdesk-VERSION-py3-none-any.whl, which deploy/install installs; deploy/ and docs/ are in it.
wheel: $(INSTALLED)
	@rm -f dist/propdesk-*.whl
	@$(BIN)/hatchling build --target wheel

# The Node examples, and a TypeScript client made from the schema; without npm it says so and goes on.
clients:
	@examples/check

# At a release, once the version is set: from then on a change that breaks its clients must be in the changelog.
release-schema: $(INSTALLED)
	@mkdir -p docs/schema-releases
	@$(BIN)/propdesk export-schema docs/schema-releases/$$($(BIN)/python -c \
		'import importlib.metadata; print(importlib.metadata.version("propdesk"))').graphql

demo: $(INSTALLED)
	@$(BIN)/propdesk demo

verify: $(INSTALLED)
	@$(BIN)/propdesk verify

# The desk on hosts of their own (network namespaces, so root alone), with clients on another: cables are cut, hosts
# vanish, a standby takes over. SEED=n changes the load, SHORT=1 takes about a minute.
.PHONY: hosts
hosts: $(INSTALLED)
	@$(BIN)/python -u -m tests.hosts.campaign

# Schemathesis against a desk of its own, as each role; EXAMPLES=100 for more of each root field.
fuzz: $(INSTALLED)
	@tests/fuzz/run

# What one bearer can do to the others, on a desk of its own: SECONDS_MAX=300 bounds it, SHORT=1 takes about 40 s.
abuse: $(INSTALLED)
	@tests/abuse/run

# The primary killed under load and its synchronous standby promoted, N times; prints the gap. About 8 s each.
N ?= 20
.PHONY: failover
failover: $(INSTALLED)
	@$(BIN)/python -m tests.cluster.failover $(N)

# The page at /graphql, built anew into app/graphiql; that is committed, so nobody needs node to run a desk.
graphiql:
	@cd graphiql && npm ci --no-audit --no-fund && npm run build

# A desk of four workers and two API processes under load, hurt by a seeded schedule: MINUTES=10 SEED=1, RATE=8 of what
# clients do a second. Ends with a restore to a moment in the middle of the run.
chaos: $(INSTALLED)
	@tests/chaos/run

# The same without faults: the commands of docs/backups.md, and what they bring back compared with what was acknowledged.
restore-drill: $(INSTALLED)
	@MINUTES=$${MINUTES:-0.5} FAULTS=no tests/chaos/run

.PHONY: chaos restore-drill

# What the tests want of npm: the audit of GraphQL over HTTP, a driver for Chromium. Without it they are skipped.
npm:
	@cd tests/npm && npm ci --no-audit --no-fund

clean:
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Versions and hashes come from the lock; the project itself is installed in place, built by the locked hatchling.
$(INSTALLED): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
