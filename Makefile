# Every target sets up first what it needs; a second run skips what is there.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup up down lint test locks

setup: ## Python environment, libraries, broker, registry, database binaries
	@$(PYTHON) deploy/local/prepare.py

up: setup ## stack and services of the main installation
	@$(BIN)/balance up

down: setup ## stop all of it
	@$(BIN)/balance down --all

locks: setup ## write requirements/*.txt anew after a change of requirements/*.in
	@for name in bootstrap runtime dev; do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	    --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done
	@# Only the files inside its wheel are wanted, not the libraries it would pull in.
	@$(BIN)/uv pip compile --quiet --no-deps --generate-hashes --python-version 3.11 --no-header \
	  --no-emit-index-url --output-file requirements/profiles.txt requirements/profiles.in
