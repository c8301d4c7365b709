# SPDX-License-Identifier: Apache-2.0
# make demo and make test set up .venv first; a second run finds it done.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODELS_VENV := .venv-models

# The libraries of a sourced ROS installation must not mix with the wheels in .venv.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH

# What has to be built again after a change. Python files are not in the list: the installation is
# editable and follows them.
INSTALLED_FROM := pyproject.toml setup.py setup.cfg package.xml CMakeLists.txt tools/make_venv.py \
	$(wildcard cmake/* msg/*.msg srv/*.srv scripts/*) \
	$(wildcard pip_vendor/*/*.txt pip_vendor/*/msg/*.msg f4x_ros/core/render/csrc/*)

.DEFAULT_GOAL := help
.PHONY: help setup demo eval test test-models lint format bench clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(VENV)/.installed $(VENV)/.share  ## make .venv with everything but the models; once, later calls do nothing

demo: setup  ## the demo world through the node: pictures and a table
	$(BIN)/f4x demo

eval: setup  ## three drawn worlds with exact truth: a table of how good it is, plots (15 minutes)
	$(BIN)/f4x eval

test: lint  ## linters, types, import rules, then the tests with their coverage
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term

test-models: $(MODELS_VENV)/.installed  ## the wrappers of published models, in .venv-models (6 GB)
	$(MODELS_VENV)/bin/python -m pytest -m models test_models

lint: setup  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## let ruff lay out the code and repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## the rasterisers against each other
	$(BIN)/python bench/render.py

clean:  ## remove builds and caches, not the environments
	rm -rf build dist *.egg-info .coverage .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find f4x_ros test test_models tools bench launch -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.installed: $(INSTALLED_FROM) constraints.txt
	@$(PYTHON) tools/make_venv.py $(VENV) constraints.txt dev eval sim mcp web
	@touch $@

$(VENV)/.share: $(VENV)/.installed $(wildcard config/* launch/*)
	@cp -r config launch $(VENV)/share/f4x_ros
	@touch $@

$(MODELS_VENV)/.installed: $(INSTALLED_FROM) constraints-models.txt
	@$(PYTHON) tools/make_venv.py $(MODELS_VENV) constraints-models.txt dev models
	@touch $@
