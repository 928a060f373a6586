# make run    a fresh machine to a finished run: venv, stack, `zenml pipeline run dml_finetune`
# make test   everything the tests need, then the tests
# make ui     MLflow's pages on loopback, and ZenML's where its server is installed
# make bench-train   how fast training is, beside FuxiCTR, DeepCTR-Torch and torch-rechub
# make bench-epoch [ROWS=n]  how long a mutual epoch of four takes on this machine's GPU or CPU
# make bench-serve   how long the served champion takes to answer
# make bench-data [ROWS=n]   how fast data are prepared, beside others; with ROWS, how that scales
# make image, image-test     the image, built and run without a daemon (docs/IMAGE.md); needs root
# make month  thirty nights of a schedule under a clock of its own (docs/proofs/month.log)
# make proof-remote, proof-kubeflow     the pipeline at a whole site on loopback (docs/proofs/)
PYTHON ?= python3
VENV := .venv
SHELL := /bin/bash
BIN := $(VENV)/bin
export ZENML_ANALYTICS_OPT_IN ?= false
export GX_ANALYTICS_ENABLED ?= false
export MLFLOW_DISABLE_TELEMETRY ?= true

.PHONY: run setup test ui check lock bench-data bench-epoch bench-serve bench-train image image-test proof-remote proof-kubeflow month costs

run: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" zenml pipeline run dml_finetune

setup: $(VENV)/base.done
	$(BIN)/mutualctr setup

# A file of tests per core, each core with a ZenML and MLflow of its own; in the order of collection,
# since by default the files with the fewest tests, which take the longest, would come last.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: $(VENV)/dev.done
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(SIDE_BY_SIDE)

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

bench-epoch: $(VENV)/base.done
	PYTHONPATH="$(CURDIR)" $(BIN)/python benchmarks/bench_epoch.py $(if $(ROWS),--rows $(ROWS))

bench-serve: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/bench_serve.py

ifdef ROWS
bench-data: $(VENV)/base.done
	OMP_NUM_THREADS=2 $(BIN)/python -m benchmarks.data --scale-rows $(ROWS)
else
bench-data: $(VENV)/base.done build/venv-fuxictr/done
	OMP_NUM_THREADS=2 $(BIN)/python -m benchmarks.data
endif

# FuxiCTR has an environment of its own: it needs an older Polars.
build/venv-fuxictr/done:
	rm -rf build/venv-fuxictr && $(PYTHON) -m venv build/venv-fuxictr
	build/venv-fuxictr/bin/pip install --disable-pip-version-check -q torch==2.13.0 'polars<2' fuxictr==2.3.10
	touch $@

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

# IMAGE_FLAGS="--build-arg DEVICE=cu130" for GPUs; PIP_CONF names a pip.conf for another index.
image:
	deploy/image.sh build $(IMAGE_FLAGS)

image-test:
	set -o pipefail; deploy/image.sh test 2>&1 | tee docs/proofs/image.log

month: $(VENV)/dev.done
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -u tests/end_to_end/month.py docs/proofs/month.log

proof-remote: $(VENV)/dev.done
	set -o pipefail; $(BIN)/python -u tests/cluster/proof_remote.py 2>&1 | tee docs/proofs/remote.log
	set -o pipefail; $(BIN)/python -u tests/cluster/proof_orchestrator.py 2>&1 | tee docs/proofs/orchestrator.log

# kfp and the lock want different versions of protobuf, so it has a venv of its own.
proof-kubeflow: $(VENV)/dev.done
	$(PYTHON) -m venv $(VENV)-kubeflow
	$(VENV)-kubeflow/bin/pip install --disable-pip-version-check -q -e '.[dev,kubeflow,sagemaker]'
	$(VENV)-kubeflow/bin/python -m pytest tests/cluster/test_kubeflow.py tests/cluster/test_sagemaker.py
	set -o pipefail; $(VENV)-kubeflow/bin/python -u tests/cluster/proof_kubeflow.py 2>&1 | tee docs/proofs/kubeflow.log

costs:
	python3 deploy/costs.py

# Writes the locks anew from pyproject.toml: base, what clusters add to it, what the tests add.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install -q torch==2.13.0 .
	build/lock/bin/pip freeze --exclude mutualctr | sed 's/+cpu$$//' > requirements.lock
	build/lock/bin/pip install -q '.[cloud]'
	build/lock/bin/pip freeze --exclude mutualctr | sed 's/+cpu$$//' | grep -vxFf requirements.lock > requirements-cloud.lock
	build/lock/bin/pip install -q '.[dev]'
	build/lock/bin/pip freeze --exclude mutualctr | sed 's/+cpu$$//' | grep -vxFf requirements.lock > requirements-dev.lock
	rm -rf build/lock
