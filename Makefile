# make book   set up and build the book         make test   set up and run every test
# make serve  serve the built book locally      make clean  remove what was built
# make pdf    the book as a PDF                 make rehearsal  every chapter elsewhere, every fault
# make bench  measure the library and its peers (an hour; leave the machine idle)
# make constraints  write the newest versions, to be tested, to .ci/constraints.txt
.PHONY: book test serve pdf rehearsal bench constraints clean
.DEFAULT_GOAL := book

NAMES := python3.13 python3.12 python3.11 python3.14 python3 python
NEWER := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON = $(firstword $(foreach p,$(NAMES),$(shell $(p) -c '$(NEWER)' >/dev/null 2>&1 && echo $(p))))
PORT ?= 8000
# Small batched factorizations stall when two BLAS pools share few cores; a number given outside wins.
export OPENBLAS_NUM_THREADS ?= 1
IN := .venv/bin/
# The versions that are tested; empty for the newest that pyproject.toml admits.
CONSTRAINTS ?= .ci/constraints.txt
PINNED = $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

book: .venv/installed
	$(IN)jupyter-book build . -n -W --keep-going
	@echo "Open file://$(CURDIR)/_build/html/book/index.html  or run: make serve"

test: .venv/installed
	$(IN)ruff check .
	$(IN)pytest nntk_lib tests/library -n auto --doctest-modules --cov --cov-fail-under=95
	$(IN)pytest book tests/book tests/site tests/live -n auto --nbval-lax --nbval-current-env --nbval-cell-timeout=120

rehearsal: .venv/installed
	$(IN)python tests/mutants
	NNTK_REHEARSAL=all $(IN)pytest tests/live

# The suite takes OPENBLAS_NUM_THREADS, and every other OPENBLAS_ variable, from the processes that it times.
bench: .venv-bench/installed .venv-bench-kernels/installed
	.venv-bench/bin/pytest tests/benchmarks --speed-json nntk_lib/studies/speed.json

serve: _build/html/index.html
	@echo "Serving http://127.0.0.1:$(PORT)/book/index.html  (stop with Ctrl-C)"
	@$(or $(wildcard $(IN)python),$(PYTHON)) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# Only when there is no book yet; `make book` brings one up to date.
_build/html/index.html:
	$(MAKE) book

# Needs LaTeX (the packages are named in .ci/run). After `make book` nothing is run again.
pdf: .venv/installed
	$(IN)jupyter-book build . -n -W --keep-going --builder latex
	$(MAKE) -C _build/latex all-pdf LATEXMKOPTS="-silent -halt-on-error"
	cp _build/latex/nntk-book.pdf _build/

constraints:
	$(PYTHON) -m venv --clear _build/newest-venv
	_build/newest-venv/bin/python -m pip install --quiet --editable '.[book,test]'
	_build/newest-venv/bin/python -m pip freeze --all --exclude pip --exclude-editable > .ci/constraints.txt

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .coverage build dist *.egg-info

.venv-bench/installed: EXTRA = bench
.venv-bench-kernels/installed: EXTRA = bench-kernels
.venv-bench/installed .venv-bench-kernels/installed: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --editable '.[$(EXTRA)]' && touch $@

# Created again when what is to be installed has changed; otherwise nothing is done.
.venv/installed: pyproject.toml $(CONSTRAINTS)
	$(or $(PYTHON),$(error Python 3.11 or newer is needed, and none of "$(NAMES)" is; run: make PYTHON=/path/to/python))  -m venv .venv
	$(IN)python -m pip install --quiet $(PINNED) --editable '.[book,test]' && touch $@
