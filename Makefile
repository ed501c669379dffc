# The whole developer interface; every target sets up what it needs. `make` alone prints this list.
# Must not do work of its own beyond calling the tools: settings of the tools are in setup.cfg and pyproject.toml.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv/.stamp
BIN := .venv/bin
JAR := ignitetasks/jars/ignitetasks.jar
JVM_SOURCES := $(shell find jvm -path jvm/target -prune -o -type f -print 2>/dev/null)
# Three processes of pytest share the files of a line, since tests wait a third of their time; two share the fault tests,
# the longest first.
PY_QUICK := $(wildcard tests/unit tests/protocol tests/typing)
PY_NODES := $(wildcard tests/integration tests/contract tests/docker)
PY_LONGEST := $(foreach name,three_nodes cluster_chaos cluster_power examples,tests/acceptance/test_$(name).py)
# How long a call may take while a node dies: with the machine to itself.
PY_ALONE := tests/acceptance/test_cluster.py
PY_FAULTS := $(PY_LONGEST) $(filter-out $(PY_LONGEST) $(PY_ALONE),$(sort $(wildcard tests/acceptance/test_*.py)))
PYTEST := $(BIN)/python -m pytest
PY_CODE := $(wildcard ignitetasks tests examples benchmarks)
MVN := mvn -B --no-transfer-progress -f jvm/pom.xml
ARGS ?=
# Tests start hundreds of Python processes: without bytecode each of them would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.PHONY: install
install: $(VENV) $(JAR) ## set up .venv and the jar, nothing else

.PHONY: demo
demo: install ## train models for 24 tenants under kill -9, on an embedded node
	$(BIN)/python examples/tenant_models/main.py $(ARGS)

.PHONY: test
test: test-java test-python ## all tests: JUnit, then pytest

.PHONY: test-java
test-java: java ## the JVM side's own tests
	$(MVN) test

.PHONY: test-python
test-python: install ## pytest: unit, protocol, integration, acceptance (ARGS="-k name")
ifeq ($(ARGS),)
	$(PYTEST) -n 3 --dist loadfile $(PY_QUICK)
	$(PYTEST) -n 3 --dist loadfile $(PY_NODES)
	$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder $(PY_FAULTS)
	$(PYTEST) $(PY_ALONE)
else
	$(PYTEST) $(PY_QUICK) $(PY_NODES) $(PY_FAULTS) $(PY_ALONE) $(ARGS)
endif

.PHONY: lint
lint: $(VENV) java ## ruff and spotless: rules and format of the code
	$(BIN)/ruff check $(PY_CODE)
	$(BIN)/ruff format --check $(PY_CODE)
	$(MVN) -q spotless:check
	@echo "lint passed"

.PHONY: types
types: $(VENV) ## mypy --strict
	$(BIN)/mypy

.PHONY: docs
docs: $(VENV) ## write docs/reference from the docstrings
	$(BIN)/python scripts/make_reference.py

.PHONY: jar
jar: $(JAR) ## build the jar when jvm/ changed

.PHONY: wheel
wheel: $(VENV) $(JAR) ## build dist/*.whl with the jar inside
	rm -rf build dist
	$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	$(BIN)/python -m zipfile -l dist/*.whl | grep -q '$(JAR)' || { echo "the wheel has no $(JAR)" >&2; exit 1; }
	@ls -l dist/*.whl

.PHONY: bench
bench: install ## benchmarks (ARGS="--only NAME")
	$(BIN)/python benchmarks/run.py --small --runs 1 --quiet 1 $(ARGS)
	$(BIN)/python benchmarks/hops.py --small

.PHONY: clean
clean: ## remove everything that was built, .venv too
	rm -rf .venv build dist jvm/target ignitetasks/jars *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(PY_CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: java
java:
	@scripts/setup-java.sh

$(VENV): setup.cfg pyproject.toml constraints.txt scripts/setup-venv.sh
	scripts/setup-venv.sh
	@touch $@

# By rename: a running JVM maps the old jar, and writing into a mapped jar kills it.
$(JAR): $(JVM_SOURCES) | java
	mvn -q -B -f jvm/pom.xml package -DskipTests
	mkdir -p $(@D)
	cp jvm/target/ignitetasks.jar $@.new
	mv -f $@.new $@
