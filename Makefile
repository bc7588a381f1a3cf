# make repro: from a clone to a submission.   make test: lint, types and tests.   make help: the rest.
PYTHON ?= python3
TORCH ?= auto
PIP := $(if $(shell command -v uv),uv pip install --python .venv/bin/python,.venv/bin/python -m pip install --disable-pip-version-check)
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help repro best best-from-scratch check verify verify-bytes demo app experiments test test-all lint fix benchmark lock clean
help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 20

.venv/requirements: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or later is needed; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	sh tools/cpu_torch.sh $(TORCH) $(PIP)
	$(PIP) --requirement requirements.txt
	touch $@

.venv/requirements-dev: .venv/requirements requirements-dev.txt
	$(PIP) --requirement requirements-dev.txt
	touch $@

repro: check ## create the environment, check the params, run the pipeline; JOBS=1: one variant after another
	$(if $(filter 1,$(JOBS)),dvc repro,python -m tools.jobs $(JOBS))
	@python -m tools.same_bytes

# What the studies of benchmarks/results/street-photos found best. The last setting of a key counts, so SET changes any.
UNNAMED = name the photos: make $@ PHOTOS=/data/photos, or make $@ SET="-S source=kaggle"
FOUND = $(if $(shell test -e '$(PHOTOS)' && echo 1),,$(error there is no $(PHOTOS); write its path out, without ~))
ON_PHOTOS = $(if $(PHOTOS)$(findstring source=,$(SET)),,$(error $(UNNAMED)))$(if \
	$(PHOTOS),$(FOUND)-S source=local -S 'local.path=$(if $(filter /%,$(PHOTOS)),,$(CURDIR)/)$(PHOTOS)') $(SET)
RUN = dvc exp run
RECIPE = $(RUN) -S budget=gpu -S loss=combined_edge -S split.holdout=0.1 -S split.folds=8 \
	-S gpu.train.batch_size=8 -S gpu.train.learning_rate=0.002 -S gpu.train.ema_decay=0.99 -S gpu.train.dice_smoothing=0.3 \
	-S gpu.train.warmup_epochs=0.5 -S gpu.train.folds=1 -S 'variants=[$1]' -S release=$1 -S start=models/starters/$1.safetensors

best: .venv/requirements ## train the best model so far on your photos: make best PHOTOS=/data/photos, or SET="-S source=kaggle"
	$(call RECIPE,efficientnet_unet) -S image_size=384 -S gpu.models.efficientnet_unet.width=8 \
		-S gpu.models.efficientnet_unet.encoder=tf_efficientnet_lite0 -S gpu.models.efficientnet_unet.encoder_weights=null \
		-S gpu.models.efficientnet_unet.encoder_lr_factor=0.3 \
		-S gpu.train.epochs=32 -S gpu.train.small_share=0.8 $(ON_PHOTOS)

best-from-scratch: .venv/requirements ## the same without weights that others trained
	$(call RECIPE,u2net) -S image_size=320 -S gpu.models.u2net.width=16 \
		-S gpu.train.epochs=64 -S gpu.train.small_share=0.78 $(ON_PHOTOS)

check: .venv/requirements ## check params.yaml, and name the valid values where it is wrong
	python -m tools.check

verify: .venv/requirements ## fail if dvc.lock does not belong to the code and params; needs no data and no GPU
	@failed=; plan=$$(dvc repro --allow-missing --dry 2>&1) || failed="DVC failed, for the reason above"; \
	echo "$$plan" | grep --quiet --extended-regexp "^Running stage|failed to reproduce" && \
		failed="a stage would run; run dvc repro and commit its results"; \
	[ -z "$$failed" ] || { echo "$$plan" | grep -v "didn't change"; echo "error: $$failed"; exit 1; }
	@echo "dvc.lock is up to date"

verify-bytes: .venv/requirements ## say whether this machine's results are the committed ones, byte for byte
	@python -m tools.same_bytes

demo: .venv/requirements ## cut the people out of a portrait by NASA, or of your photos: make demo PHOTO="a.jpg b.png"
	python -m tools.demo $(PHOTO)

app: .venv/requirements ## a page to try the models on photos or the camera; nothing leaves the machine
	python -m tools.app

experiments: .venv/requirements ## all experiments of the last commits: what differs, and the Dice of each variant
	@python -m tools.experiments

test: lint ## lint, type check and the tests that are quick: about six minutes
	python -m pytest -n 2 --dist loadfile -m "not slow"

test-all: lint ## lint, type check and all tests, as CI
	python -m pytest -n 2 --dist loadfile

lint: .venv/requirements-dev ## ruff and mypy
	ruff check .
	ruff format --check .
	mypy

fix: .venv/requirements-dev ## let ruff mend what it can
	ruff check --fix .
	ruff format .

benchmark: .venv/requirements-dev ## the speed of training, predict, two jobs and nothing to do
	python -m benchmarks.training
	python -m benchmarks.pipeline

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"
# Without the CUDA that torch brings on Linux: its wheels pin it themselves, and those for the CPU need none. (nvidia-ml-py is DVCLive's.)
CUDA = ^(cuda-|nvidia-[^m]|triton)

lock: ## compile requirements*.in into requirements*.txt; needs uv
	for name in requirements requirements-dev; do \
		$(COMPILE) --upgrade $$name.in | grep -Ev "$(CUDA)" > $$name.new && mv $$name.new $$name.txt || exit 1; \
	done

clean: ## remove the environment and caches, not the data or models
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
