# Everything that is done with this tree, by name. `make` alone lists it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.complete
BED := PYTHONPATH=tests $(BIN)/python -m bed --name $(or $(STOKER_BED),bed)

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements/dev.txt crds/pyproject.toml operator/pyproject.toml sidecar/pyproject.toml \
  tests/simulator/pyproject.toml tools/setup.sh
	@tools/setup.sh

.PHONY: setup
setup: $(READY) ## make .venv with the locked dependencies (other targets do it when needed)

.PHONY: demo
demo: $(READY) ## see it in a minute: the same faults without Stoker and with it (OLLAMA=real, OLLAMA=PATH)
	@PYTHONPATH=demo:tests $(BIN)/python -m stoker_demo $(if $(OLLAMA),--ollama $(OLLAMA))

.PHONY: test
test: check quick ## all that needs no cluster: format, lint, types, layers, quick tests

.PHONY: check
check: $(READY) ## format check, lint, types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: quick
quick: $(READY) ## the quick tests alone
	$(BIN)/pytest

.PHONY: fuzz
fuzz: $(READY) ## look longer for what breaks the readers of others' words (minutes)
	$(BIN)/pytest tests/unit/hostile --hypothesis-profile=fuzz

.PHONY: bed
bed: $(READY) ## a real Kubernetes on this machine (docs/test-bed.md); the first time takes minutes
	$(BED) up

.PHONY: bed-status
bed-status: $(READY) ## what runs of it
	$(BED) status

.PHONY: bed-down
bed-down: $(READY) ## take it down, leaving nothing behind
	$(BED) down

.PHONY: contract
contract: $(READY) ## one table: how the real Ollama behaves, and how its simulator does
	PYTHONPATH=tests $(BIN)/python -m contract.simulator.table

# Of its own accord a test would bring the bed up as well, but unseen, for minutes the first time.
CLUSTER := $(if $(KUBECONFIG),,bed)

.PHONY: cluster-test
cluster-test: $(READY) $(CLUSTER) ## the smoke tier on the bed, or on the cluster that KUBECONFIG names
	$(BIN)/pytest tests/cluster tests/contract -m "not slow"

.PHONY: cluster-test-full
cluster-test-full: $(READY) $(CLUSTER) ## all of it, the slow ones too
	$(BIN)/pytest tests/cluster tests/contract

.PHONY: format
format: $(READY) ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: generate
generate: $(READY) ## write what is made: CRD, reference, the chart's schema, dashboards, alerts
	$(BIN)/python -m tools.generate

.PHONY: manifests
manifests: $(READY) ## dist/install.yaml from the chart, for kubectl (REGISTRY=... of the images)
	@tools/manifests.sh

.PHONY: golden
golden: $(READY) ## accept the manifests that the examples and the chart render to now
	$(BIN)/pytest -q tests/unit/desired/test_examples.py --update-golden
	$(BIN)/pytest -q tests/contract/chart -k golden --update-golden-chart

.PHONY: bench
bench: $(READY) ## measure rendering, simulator, sidecar, forwarder, page, operator (an hour; see each --help)
	$(BIN)/python bench/render.py
	PYTHONPATH=tests $(BIN)/python bench/simulator.py
	PYTHONPATH=tests $(BIN)/python -m bench.sidecar
	PYTHONPATH=tests $(BIN)/python -m bench.forwarder
	PYTHONPATH=tests $(BIN)/python -m bench.page
	PYTHONPATH=tests $(BIN)/python -m bench.scale

COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
  --generate-hashes --no-header --no-annotate --no-emit-package stoker-api

.PHONY: lock
lock: $(READY) ## renew requirements/ (the dependencies, pinned with hashes)
	$(COMPILE) --group dev crds/pyproject.toml operator/pyproject.toml sidecar/pyproject.toml \
	  -o requirements/dev.txt
	for part in operator sidecar tests/simulator; do \
	  $(COMPILE) --constraint requirements/dev.txt $$part/pyproject.toml \
	    -o requirements/$$(basename $$part).txt || exit; \
	done
	echo hatchling | $(COMPILE) --constraint requirements/dev.txt - -o requirements/build.txt

.PHONY: clean
clean: ## remove what was built here (.venv, caches); cached downloads elsewhere stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
