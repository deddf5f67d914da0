# `make help` lists what there is. Everything that is missing is installed first, and said.
PYTHON := .venv/bin/python
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup setup-test venv ranker image demo lint format test test-long clean-images clean-runs

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: setup ## solve an example task on real data and show its true score
	@bash scripts/demo.sh

test: setup-test ## lint, types and all tests, with a sample of the long ones (under 10 minutes)
	@bash scripts/test.sh

test-long: setup-test ## the same with every long test
	@LINGUACODUS_LONG=all bash scripts/test.sh

lint: venv ## ruff and mypy only
	@bash scripts/lint.sh

format: venv ## lay out all Python files
	@$(PYTHON) -m ruff check --fix . && $(PYTHON) -m ruff format .

setup: ## virtual environment, base model, container engine and sandbox image
	@bash scripts/setup.sh

setup-test: ## the same with what the tests need: podman, crun, runsc and PostgreSQL too
	@bash scripts/setup.sh test

venv: ## the virtual environment only
	@bash scripts/setup.sh venv

ranker: ## the virtual environment and the ranker's base model, without the engine
	@bash scripts/setup.sh ranker

image: setup ## build the sandbox image where it is missing

clean-images: venv ## remove the sandbox images
	@$(PYTHON) -m sandbox.image clean

clean-runs: ## remove all run folders
	@rm -rf runs && echo "Removed runs/."
