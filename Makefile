# make run    a fresh machine to a finished run: venv, stack, `zenml pipeline run dml_finetune`
# make test   everything the tests need, then the tests
# make ui     MLflow's pages on loopback, and ZenML's where its server is installed
# make bench-train   how fast training is, beside FuxiCTR, DeepCTR-Torch and torch-rechub
# make bench-serve   how long the served champion takes to answer
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export ZENML_ANALYTICS_OPT_IN ?= false
export GX_ANALYTICS_ENABLED ?= false
export MLFLOW_DISABLE_TELEMETRY ?= true

.PHONY: run setup test ui check lock bench-serve bench-train

run: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" zenml pipeline run dml_finetune

setup: $(VENV)/base.done
	$(BIN)/mutualctr setup

test: $(VENV)/dev.done
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest

ui: setup
	$(BIN)/mutualctr ui

PEERS := build/peers
bench-train: $(VENV)/base.done $(PEERS)/peers.done
	$(BIN)/python benchmarks/bench_train.py --peers-python $(CURDIR)/$(PEERS)/bin/python

# The other libraries in an environment of their own: they want older companions than ours.
$(PEERS)/peers.done:
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install -q torch==2.13.0 fuxictr==2.3.10 'polars<2' torch-rechub==0.9.0
	$(PEERS)/bin/pip install -q --no-deps deepctr-torch==0.3.0
	touch $@

bench-serve: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/bench_serve.py

check: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/base.done: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -q -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.done: requirements-dev.lock $(VENV)/base.done
	$(BIN)/pip install --disable-pip-version-check -q -r requirements-dev.lock
	touch $@

# Writes both locks anew from pyproject.toml: base first, what the tests add second.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install -q torch==2.13.0 .
	build/lock/bin/pip freeze --exclude mutualctr | sed 's/+cpu$$//' > requirements.lock
	build/lock/bin/pip install -q '.[dev]'
	build/lock/bin/pip freeze --exclude mutualctr | sed 's/+cpu$$//' | grep -vxFf requirements.lock > requirements-dev.lock
	rm -rf build/lock
