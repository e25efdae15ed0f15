# `make` or `make figures`: the paper's figures from tickets found on this machine. `make test`: the tests.
# Both first create .venv from exact versions with hashes, if it is missing or older than requirements.lock.
.DELETE_ON_ERROR:
.PHONY: figures paper-mnist judge plan report provenance bench bench-networks test test-all test-slow test-slurm lint format lock documents site

PYTHON ?= python3
READY := .venv/.ready
SNAKEMAKE := .venv/bin/snakemake

figures: $(READY)
	$(SNAKEMAKE)

# The paper's MNIST study, main text and appendices, many hours: all evidence of docs/results but that of conv-fashion.
paper-mnist: $(READY)
	$(call published,paper-mnist)
	$(call published,paper-mnist paper-mnist-repeat)
	$(call published,paper-mnist paper-mnist-tenth)
	$(call published,appendix-b-f)
	$(call published,appendix-g appendix-g-part)
	$(call published,recipes)

# Run a configuration, or several laid over each other, and publish the run, which has the name of the last.
define published
$(SNAKEMAKE) --configfile $(patsubst %,config/%.yaml,$(1))
.venv/bin/lottery publish results/$(lastword $(1)) --output docs/results/$(lastword $(1))
endef

# All published verdicts anew, from the published tables: after a claim or a rule of judging has changed.
judge: $(READY)
	.venv/bin/lottery judge-claims $(patsubst %/levels.csv,%,$(wildcard docs/results/*/levels.csv))
	.venv/bin/lottery document

# What a run would cost, before it starts: make plan CONFIG="config/paper-mnist.yaml config/paper-mnist-tenth.yaml"
plan: $(READY)
	@$(SNAKEMAKE) --quiet all $(if $(CONFIG),--configfile $(CONFIG)) -- plan

# All of the run in one page of HTML that works from the disk.
report: figures
	.venv/bin/lottery report results/quick

# Snakemake's own report: which job made which file, with which command and when.
provenance: figures
	$(SNAKEMAKE) --report results/quick/provenance.html

# The quick part, in which every planted bug fails a test.
test: $(READY)
	.venv/bin/pytest

# All but what takes minutes.
test-all: $(READY)
	.venv/bin/pytest -m 'not slow'

# What takes minutes: many kills at random moments.
test-slow: $(READY)
	.venv/bin/pytest -m slow

# All tests on a private Slurm, as root on Debian. `make test-all` has the short one.
test-slurm: $(READY)
	.venv/bin/pytest tests/test_slurm.py -m 'slow or not slow'

# What an iteration costs, engine by engine; close other programs first.
bench: $(READY)
	$(SNAKEMAKE) --quiet all -- results/data/mnist.safetensors
	.venv/bin/lottery bench --dataset results/data/mnist.safetensors --output results/bench

# Images a second of every network against a plain PyTorch loop; on a GPU where there is one. Close other programs first.
bench-networks: $(READY)
	.venv/bin/lottery bench-networks --output results/bench

lint: $(READY)
	.venv/bin/pytest tests/test_lint.py -m "long or not long"

format: $(READY)
	.venv/bin/ruff check --fix --quiet
	.venv/bin/ruff format --quiet
	.venv/bin/snakefmt Snakefile workflow

# What stands in pages and in the JSON schema from declarations and published runs.
documents: $(READY)
	.venv/bin/lottery document

# The pages as a site, results/site/index.html, with a search that needs no network. The theme is kept until May 2027, as it says at each
# build; its successor Zensical reads the same mkdocs.yml.
site: $(READY)
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet

# What builds a package comes first, from its own lock, so that no build fetches anything.
$(READY): requirements.lock requirements-build.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "Python 3.11 to 3.13 is needed, since not all packages are made for others yet: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --require-hashes --requirement requirements-build.lock
	.venv/bin/pip install --quiet --require-hashes --no-build-isolation --requirement requirements.lock
	.venv/bin/pip install --quiet --no-build-isolation --no-deps --editable .
	.venv/bin/lottery compile-kernels
	touch $@

# Exact versions of everything named in pyproject.toml, and hashes of their files; a version that still fits stays.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
lock:
	$(LOCK) --extra dev pyproject.toml --output-file requirements.lock
	echo setuptools | $(LOCK) --constraint requirements.lock - --output-file requirements-build.lock
