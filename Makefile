# SPDX-License-Identifier: Apache-2.0
# make demo and make test set up .venv first; a second run finds it done.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What an installation is made from. Python files are not in the list: the installation is
# editable and follows them.
INSTALLED_FROM := pyproject.toml setup.py setup.cfg constraints.txt tools/make_venv.py package.xml CMakeLists.txt \
	$(wildcard cmake/* config/* launch/* msg/*.msg srv/*.srv scripts/* pip_vendor/*/*.txt pip_vendor/*/msg/*.msg) \
	$(wildcard f4x_ros/core/render/csrc/*)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-models lint bench clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(VENV)/.installed  ## make .venv with everything but the models (once; later calls do nothing)

demo: setup  ## the demo world through the node: pictures and a table
	$(BIN)/f4x demo

test: lint  ## linters, types, import rules, tests, coverage
	$(BIN)/python -m pytest --cov --cov-report=term

lint: setup  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.installed: $(INSTALLED_FROM)
	@$(PYTHON) tools/make_venv.py $(VENV) dev
	@touch $@
