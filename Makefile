# Every entry point of the project. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
BUILT  := _build/.built
SOURCES = _config.yml _toc.yml $(shell find book notebooks data src tools benchmarks/results -type f \
            ! -path '*/_generated/*' ! -path '*/__pycache__/*' ! -path '*/.ipynb_checkpoints/*')
NB     ?=
PYTEST  = $(PY) -m pytest -n $(or $(WORKERS),auto) --dist loadscope --no-loadscope-reorder \
            --durations 10
# What needs a browser, a fresh environment or the whole book: not the business of a processor.
HOUSE   = site tools/test_binder.py tools/test_fork.py tools/test_house.py tools/test_pages.py tools/test_scoreboard.py tools/test_workflows.py
CHAPTERS = $(if $(NB),$(NB),$(error say which notebook, as in: make $@ NB=zero_runs))

.DEFAULT_GOAL := help
.PHONY: help setup book serve test portable colab check run new student decks lab bench lock repo wheel format clean

help:  ## list the entry points
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY)  ## make .venv and install the lock, hashes checked

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12")'
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@awk '/^[a-z]/ {uv = /^uv==/} uv' requirements.txt > $(VENV)/uv.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip sync --quiet --require-hashes --python $(PY) requirements.txt
	@VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip install --quiet --no-deps --no-build-isolation --python $(PY) --editable .
	@touch $@

book: $(BUILT)  ## build the site into _build/html; any warning is a failure

# Sphinx reports a warning only once: after a failure the next build must start afresh.
$(BUILT): $(READY) $(SOURCES)
	@$(PY) -m tools pages
	@$(VENV)/bin/jupyter-book build -W -n --keep-going . || { rm -rf _build; exit 1; }
	@touch $@

serve: book  ## build the site and serve it on http://localhost:8000
	$(PY) -m http.server --bind 127.0.0.1 --directory _build/html 8000

test: book  ## run everything: engines, notebook rules, every notebook, the site (SEED=1 shuffles)
	$(PYTEST) --nbval --nbval-kernel-name reader $(if $(SEED),-p randomly --randomly-seed=$(SEED))

portable: $(READY)  ## engines and notebooks as processors without AVX-512, then without AVX2, run them
	OPENBLAS_CORETYPE=Haswell NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR" \
	  $(PYTEST) --nbval --nbval-current-env $(HOUSE:%=--ignore=tests/%)
	OPENBLAS_CORETYPE=Nehalem NPY_DISABLE_CPU_FEATURES=X86_V3 NUMBA_CPU_NAME=nehalem \
	  XLA_FLAGS=--xla_cpu_max_isa=SSE4_2 $(PYTEST) --nbval --nbval-current-env $(HOUSE:%=--ignore=tests/%)

colab: $(READY)  ## every notebook with the packages that Colab has today (needs Python 3.13, or PYTHON=)
	@mkdir -p _build
	$(PY) -m tools colab > _build/colab.txt
	READER_PYTHON=$(if $(filter python3,$(PYTHON)),python3.13,$(PYTHON)) READER_LOCK=$(abspath _build/colab.txt) \
	  $(PYTEST) --nbval-lax --nbval-kernel-name reader tests/site/test_launch.py notebooks

check: $(READY)  ## one chapter as the inner loop: its rules, its cells, its engine (NB=name)
	$(PY) -m tools check $(CHAPTERS)
	$(PY) -m pytest --nbval --nbval-current-env $$($(PY) -m tools tests $(CHAPTERS))

run: $(READY)  ## execute a notebook top to bottom, in place (NB=name)
	$(PY) -m tools run $(CHAPTERS)

new: $(READY)  ## start a chapter from the template (NB=name)
	$(PY) -m tools new $(CHAPTERS)

student: $(READY)  ## write a chapter for students into dist/student, without solutions (NB=name)
	$(PY) -m tools student $(CHAPTERS)

decks: $(READY)  ## write the interview cards into dist/, for Anki and as a spreadsheet
	$(PY) -m tools decks dist

lab: $(READY)  ## open the notebooks in JupyterLab
	$(VENV)/bin/jupyter lab notebooks

bench: $(READY)  ## run the benchmarks behind "How fast" and "Scoreboard" (an hour or two, 8.5 GB)
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(PY) $$file || exit 1; done

lock: $(READY)  ## renew requirements.txt: newest versions that fit, with hashes
	$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --all-extras --upgrade --python-version 3.11 \
	  --custom-compile-command "make lock" pyproject.toml --output-file requirements.txt

repo: $(READY)  ## point a fork at its own address (URL=https://github.com/you/your-fork, BRANCH=main)
	$(PY) -m tools fork $(if $(URL),$(URL),$(error say where, as in: make repo URL=https://github.com/you/your-fork)) $(BRANCH)

wheel: $(READY)  ## build the package into dist/
	$(VENV)/bin/uv build --quiet --wheel --no-build-isolation --python $(PY) --out-dir dist

format: $(READY)  ## format and lint Python files and notebooks, lint the scripts of the site
	$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix . && $(VENV)/bin/oxlint book/_static

clean:  ## remove everything that was built, the environment included
	rm -rf _build book/_generated dist $(VENV) .pytest_cache .hypothesis .ruff_cache
