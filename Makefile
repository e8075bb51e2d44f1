# Every target sets up first what it needs; a second run skips what is there.
PYTHON ?= python3
BIN := .venv/bin
VENDOR := services/gateway/src/balance_gateway/static/vendor
PACKAGES := libs schemas services deploy tests

export BALANCE_REAL_DATA ?= $(abspath ../shared/data)

.PHONY: test-timescale help setup up down lint demo test e2e chaos bench-spine bench-ingest bench-imbalance bench-vee bench-inadequacy bench-forecast bench-onset field-year fuzz-ingest generate locks web

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: ## libraries, broker, registry, database: whatever is missing
	@$(PYTHON) deploy/local/prepare.py

up: setup ## stack and services of the main installation
	@$(BIN)/balance up

down: setup ## stop all services and the stack
	@$(BIN)/balance down --all

lint: setup ## style, types, who may import whom
	$(BIN)/ruff check $(PACKAGES)
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports

demo: setup ## a street with everything that goes wrong in one, on real home profiles
	@$(BIN)/balance demo

test: lint ## all tests, on the real broker, registry and database
	@$(BIN)/balance stack up
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

e2e: setup ## whole installations only: convergence under faults, bad input
	$(BIN)/pytest tests/e2e $(PYTEST)

chaos: setup ## the same, large: every process killed again and again, database and broker away for a minute
	BALANCE_CHAOS_SIZE=large BALANCE_AWAY_SECONDS=60 $(BIN)/pytest tests/e2e/test_convergence.py tests/e2e/test_bad_input.py $(PYTEST)

field-year: setup ## a year of a simulated field with every fault, against the oracle
	BALANCE_FIELD_SIZE=large $(BIN)/pytest tests/e2e/test_field.py $(PYTEST)

test-timescale: setup ## the services on TimescaleDB: BALANCE_POSTGRES_BIN=<bin folder of a server that has it>
	BALANCE_TEST_TIMESCALE=1 $(BIN)/pytest tests/timescale $(PYTEST)

bench-spine: setup ## readings a second, packet to published group day, beside plain ways
	$(BIN)/python -m balance_bench.spine $(BENCH)

bench-ingest: setup ## readings a second, packet to stored and published; live packets while a backlog arrives
	$(BIN)/python -m balance_bench.ingest $(BENCH)

bench-imbalance: setup ## packet to published group-day; live group-days while a backlog arrives; what intervals hold
	$(BIN)/python -m balance_bench.imbalance $(BENCH)

bench-vee: setup ## findings false and missed, estimates against the truth, on simulated fields and the real dirty file
	$(BIN)/python -m balance_bench.vee $(BENCH)

bench-inadequacy: setup ## warm homes with little gas found and flagged falsely; the list of a fleet, timed
	$(BIN)/python -m balance_bench.inadequacy $(BENCH)

bench-onset: setup ## onsets and hourly alarms that are none on healthy groups, leaks found
	$(BIN)/python -m balance_bench.onset $(BENCH)

bench-forecast: setup ## month-end forecasts of real homes beside pro rata, what intervals hold, a night of the fleet
	$(BIN)/python -m balance_bench.forecast $(BENCH)

web: ## what pages take from others, anew after a change of deploy/web/package.json (needs Node)
	cd deploy/web && npm ci
	cp deploy/web/node_modules/uplot/dist/uPlot.iife.min.js deploy/web/node_modules/uplot/dist/uPlot.min.css $(VENDOR)
	cp deploy/web/node_modules/uplot/LICENSE $(VENDOR)/uPlot.LICENSE

MINUTES ?= 10
fuzz-ingest: setup ## any bytes at the doors of ingest, led by coverage; MINUTES=10
	@mkdir -p .local/fuzz
	$(BIN)/python -m balance_fuzz.ingest -max_total_time=$$(($(MINUTES) * 60)) -max_len=8192 -timeout=10 \
	  -rss_limit_mb=1024 -artifact_prefix=.local/fuzz/

generate: setup ## pages and AsyncAPI from the catalogue, pages of the tables, Grafana's dashboards
	$(BIN)/python -m balance_schemas generate
	$(BIN)/python -m balance_ingest.adapters.sensor_table > docs/sensor-kinds.md
	$(BIN)/python -m balance_ingest.adapters.battery_table > docs/batteries.md
	$(BIN)/python -m balance_grafana

locks: setup ## requirements/*.txt anew after a change of requirements/*.in
	@for name in bootstrap runtime dev; do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	    --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done
	@$(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --no-deps \
	  --output-file requirements/profiles.txt requirements/profiles.in
