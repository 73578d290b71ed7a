# `make demo` and `make test` set up all they need, in a virtual environment of their own.

# Where Python may keep nothing of what it compiles, each kernel and each Space compiles the whole package.
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= python3
# What Jupyter finds beside an installed package is taken from here, as it is now.
export JUPYTER_PATH := $(CURDIR)/flux_magic/jupyter/share

# A cell of a tutorial runs the command, as in an environment that is activated.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := build/demo
CONVERT := $(BIN)/python -m nbconvert --log-level=ERROR
# Without it, ipykernel warns of a connection that anybody on this machine could listen to.
ENCRYPTED := transport_encryption=auto
EXECUTE := $(CONVERT) --to notebook --execute --inplace --KernelManager.$(ENCRYPTED) --ExecutePreprocessor.record_timing=False --ExecutePreprocessor.coalesce_streams=True
NBVAL := pytest --nbval-cell-timeout=300 --override-ini=filterwarnings=default -q
PLAIN = $(filter-out $(OF_TORCH),$(wildcard notebooks/*.ipynb))
LAX := notebooks/03_when_things_go_wrong.ipynb notebooks/04_the_same_image_next_year.ipynb
OFFLINE := FLUX_MAGIC_STORE=off FLUX_MAGIC_REPLAY=only $(BIN)/python scripts/offline.py $(BIN)/python -m $(NBVAL)
# The files that take long come first, so that no worker is left alone with one at the end.
FOLDERS := $(addprefix tests/,browser wire kernel cluster packaging unit)
# One more than there are processors: the tests of notebooks and pages wait a quarter of the time.
WORKERS := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
UNTRACED := PYTHONPATH=$(abspath tests/support/measuring)
PYTEST := pytest -p no:nbval --numprocesses=$(WORKERS) --dist=loadfile
SHUFFLED := --thorough --hypothesis-profile=thorough --random-order
QUIET_PIP := --quiet --disable-pip-version-check
EVERYTHING := --constraint constraints.txt --editable '.[test]'
ENGINES := .venv-engines
ENGINES_READY := $(ENGINES)/.ready
# The tests of engines need no browser; their tutorial needs a Space, and what runs and compares it.
OF_ENGINES := --constraint constraints.txt --constraint constraints-engines.txt --editable '.[diffusers,inference,local,dask]' \
	--editable ./tiny coverage pytest pytest-xdist jupyter-client ipykernel nbconvert nbval
# These tutorials need torch: they are run where the engines are, and elsewhere their saved outputs are read.
OF_TORCH := notebooks/09_another_engine.ipynb notebooks/12_how_an_image_comes_out_of_noise.ipynb
MODEL ?= black-forest-labs/FLUX.1-schnell

.PHONY: help demo lab test test-thorough ends in-another-order check style types nbval nbval-offline pytest slow shuffled needs \
	unit notebooks pages screenshot frontends bench soak live test-matrix clean test-engines engines tiny live-gpu notebooks-engines \
	bench-engines

help:
	@echo "make demo         make images in a notebook, on the local Space; the results are files"
	@echo "make lab          JupyterLab on the tutorial notebooks, with the local Space"
	@echo "make test         every check, and the tests; five minutes"
	@echo "make test-thorough  all of them in another order, many examples, other libraries, front ends; half an hour"
	@echo "make test-engines tiny pipelines of diffusers in an environment of their own, with torch; four minutes"
	@echo "make tiny         a tiny FLUX, drawn for, trained and measured from nothing; hours, or TINY=--tenth"
	@echo "make check        style, types and layers"
	@echo "make notebooks    the tutorials' outputs anew; make notebooks-engines those with torch alone"
	@echo "make pages        the tutorials and these texts as pages in build/pages, with their links checked"
	@echo "make screenshot   the README's pictures anew"
	@echo "make frontends    the tutorials in each front end: pictures in build/frontends, to be looked at; 8 minutes"
	@echo "make bench        what a person waits for, and how quick it is beside other clients; 20 minutes"
	@echo "make bench-engines  what --provider diffusers costs beside the bare pipeline; 2 minutes"
	@echo "make soak         2,000 images in one call over a line that breaks, and 60 sweeps in one kernel; 6 minutes"
	@echo "make test-matrix  the stacks of Colab and Binder, other Pythons, the oldest and the newest of everything"
	@echo "make live-gpu     six checks of --provider diffusers on your own GPU; MODEL=FOLDER for another model"
	@echo "make live         five requests to the public Space, and one to each other model; needs the internet"

# uv takes seconds where pip takes a minute; pip does it where uv is not to be had, or cannot reach what pip reaches by a
# configuration of its own. Neither compiles: they would do so on one processor, and what nobody imports as well. It is
# no error where a package has a file that is not for this Python.
$(READY): pyproject.toml constraints.txt
	@sh scripts/need.sh python3-venv '$(PYTHON) -c "import ensurepip, venv"'
	@echo "setting up $(VENV); the first time takes some minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(QUIET_PIP) uv 2>$(VENV)/uv.log || true
	@$(BIN)/uv pip install --python $(BIN)/python $(EVERYTHING) 2>$(VENV)/uv.log || \
		$(BIN)/python -m pip install $(QUIET_PIP) --no-compile $(EVERYTHING)
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests/' $(VENV)/lib || true
	@touch $@

demo: $(READY)
	@rm -rf $(DEMO)
	@mkdir -p $(DEMO)
	@cp -r notebooks/*.ipynb notebooks/images $(DEMO)/
	@FLUX_MAGIC_STORE=$(abspath $(DEMO)/store) $(EXECUTE) $(DEMO)/01_quickstart.ipynb
	@$(BIN)/flux-magic page --unfold $(DEMO)/*.ipynb >/dev/null
	@echo "the notebook, run:  $(DEMO)/01_quickstart.ipynb"
	@echo "as a page:          $(DEMO)/01_quickstart.html"
	@echo "its images:         $(DEMO)/pictures/; with their records in $(DEMO)/store/"
	@echo "the other tutorials are beside it, as they were saved"

lab: $(READY)
	FLUX_MAGIC_SPACE=local $(BIN)/jupyter lab --MappingKernelManager.$(ENCRYPTED) $(shell [ `id -u` = 0 ] && echo --allow-root) notebooks

check: style types

style: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: $(READY)
	@$(BIN)/mypy

# Types and notebooks are beside the tests, which wait as often as they compute. Coverage is shown where one fails, too.
test: style needs
	@rm -f .coverage .coverage.*
	@failed=0; \
	sh scripts/beside.sh '$(MAKE) --no-print-directory --keep-going types nbval' '$(MAKE) --no-print-directory pytest' || failed=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report || failed=$$?; \
	exit $$failed

pytest: $(READY)
	@$(UNTRACED) $(BIN)/coverage run -m $(PYTEST) --no-loadscope-reorder $(FOLDERS)

# Everything that is too slow for each change; one that fails stops none of the others.
test-thorough: $(READY) needs
	@$(MAKE) --no-print-directory --keep-going ends frontends in-another-order

ends: $(READY)
	@$(BIN)/python scripts/matrix.py --parts=unit,few lowest newest

in-another-order: $(READY)
	@sh scripts/beside.sh '$(MAKE) --no-print-directory nbval-offline' '$(MAKE) --no-print-directory shuffled'

# The slow tests alone: after `make test` all have run.
slow: SHUFFLED := --thorough -m thorough

# A page in a browser that three workers share may be late once; what fails alone as well is a fault.
slow shuffled: $(READY)
	@$(BIN)/python -m $(PYTEST) $(SHUFFLED) $(FOLDERS) || { echo "what failed, once more and alone:"; \
		$(BIN)/python -m pytest -p no:nbval --thorough --last-failed --last-failed-no-failures=none $(FOLDERS); }

# pip, as uv does not look into a folder of wheels before an index: torch's build for a CPU may be in one. diffusers needs
# Python 3.11.
$(ENGINES_READY): pyproject.toml tiny/pyproject.toml constraints.txt constraints-engines.txt
	@sh scripts/need.sh python3-venv '$(PYTHON) -c "import ensurepip, venv"'
	@echo "setting up $(ENGINES); the first time takes some minutes"
	@$(PYTHON) -m venv $(ENGINES)
	@$(ENGINES)/bin/python -m pip install $(QUIET_PIP) --no-compile $(OF_ENGINES)
	@touch $@

test-engines:
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		$(MAKE) --no-print-directory engines; \
	else echo "left out: diffusers needs Python 3.11 or later"; fi

# `make test` measures the rest of the package.
engines: $(ENGINES_READY)
	@rm -rf build/nbval-engines && mkdir -p build/nbval-engines && cp $(OF_TORCH) notebooks/another_engine.py build/nbval-engines/
	@FLUX_MAGIC_STORE=$(abspath build/nbval-engines/store) $(ENGINES)/bin/python -m $(NBVAL) --nbval build/nbval-engines
	@$(ENGINES)/bin/python -m coverage run --rcfile=.coveragerc-engines --data-file=build/engines.coverage -m pytest -q -p no:nbval tests/engines
	@$(ENGINES)/bin/python -m coverage combine --rcfile=.coveragerc-engines --data-file=build/engines.coverage --quiet
	@$(ENGINES)/bin/python -m coverage report --rcfile=.coveragerc-engines --data-file=build/engines.coverage

# Hours on two processors; each stage goes on where it was stopped. With TINY=--tenth, a check that all stages work.
# What it saves goes into the package by: python -m scripts.tiny box
tiny: $(ENGINES_READY)
	@$(ENGINES)/bin/python -m scripts.tiny all $(TINY)

live-gpu: $(ENGINES_READY)
	@$(ENGINES)/bin/python -m scripts.live_gpu --model $(MODEL) $(if $(SIZE),--size $(SIZE))

needs:
	@sh scripts/need.sh chromium 'command -v chromium'
	@sh scripts/need.sh libimage-exiftool-perl 'command -v exiftool'

# On the local Space, from a folder without flux_images: what is saved is what is made.
nbval: $(READY)
	@mkdir -p build
	@$(BIN)/flux-magic verify --static notebooks/*.ipynb notebooks/flux_images >build/verify.txt || { cat build/verify.txt; exit 1; }
	@tail -n 1 build/verify.txt
	@rm -rf build/nbval && mkdir -p build/nbval && cp -r $(PLAIN) notebooks/images build/nbval/
	@FLUX_MAGIC_STORE=$(abspath build/nbval/store) $(BIN)/python -m $(NBVAL) --nbval build/nbval

# From flux_images, with the network off. What is an error there has no image, so two notebooks are only to run to their end.
# The cells that ask a Space to make images again are left out, and so is the notebook with tables of images, which is no
# place that an export takes them from.
nbval-offline: $(READY)
	@$(OFFLINE) --nbval --deselect='notebooks/07_edit_what_you_have.ipynb::Cell 11' $(filter-out $(LAX) notebooks/10_many_at_once.ipynb,$(PLAIN))
	@$(OFFLINE) --nbval-lax $(foreach n,8 10,--deselect='$(lastword $(LAX))::Cell $n') $(LAX)

unit: $(READY)
	@$(BIN)/pytest tests/unit

notebooks: $(READY) $(ENGINES_READY)
	@rm -rf notebooks/pictures notebooks/flux_images build/tutorials
	@for notebook in notebooks/*.ipynb; do \
		export FLUX_MAGIC_STORE=$(abspath build/tutorials)/$$(basename $$notebook); \
		case $$notebook in $(OF_TORCH)) bin=$(ENGINES)/bin;; *) bin=$(BIN);; esac; \
		$(subst $(BIN),$$bin,$(EXECUTE)) $$notebook || exit 1; \
		$(BIN)/flux-magic export $$notebook || exit 1; \
	done
	@$(BIN)/python scripts/tidy_notebooks.py notebooks/*.ipynb notebooks/flux_images

# The tutorials of engines alone; the images of the others stay.
notebooks-engines: $(READY) $(ENGINES_READY)
	@rm -rf notebooks/pictures $(addprefix build/tutorials/,$(notdir $(OF_TORCH)))
	@for notebook in $(OF_TORCH); do \
		export FLUX_MAGIC_STORE=$(abspath build/tutorials)/$$(basename $$notebook) FLUX_MAGIC_REPLAY=off; \
		$(subst $(BIN),$(ENGINES)/bin,$(EXECUTE)) $$notebook && $(BIN)/flux-magic export $$notebook || exit 1; \
	done
	@$(BIN)/python scripts/tidy_notebooks.py $(OF_TORCH) notebooks/flux_images

pages: $(READY)
	@$(BIN)/python -m scripts.pages build/pages

screenshot: $(READY)
	@$(BIN)/python -m pytest -q --thorough tests/browser -k "quickstart or panels_own_tutorial or three_by_four"
	@cp build/screenshots/readme.png docs/quickstart.png
	@cp build/screenshots/sweep-readme.png docs/sweep.png
	@cp build/screenshots/panel-readme.png notebooks/images/panel.png
	@$(BIN)/python -m scripts.gallery docs/gallery

# What is run and what is left out is in the table that it prints; names choose: make frontends ONLY="html latex".
frontends: $(READY)
	@sh scripts/need.sh chromium 'command -v chromium'
	@$(BIN)/python -m tests.frontends $(ONLY)

# What an engine costs beside the library that it calls: milliseconds, at most 30; and what the package's import loads.
bench-engines: $(ENGINES_READY)
	@$(ENGINES)/bin/python -m tests.benchmarks.engines

bench: $(READY)
	@$(BIN)/python -m tests.benchmarks.startup
	@$(BIN)/python -m tests.benchmarks.store
	@$(BIN)/python -m tests.benchmarks.library
	@$(BIN)/python -m tests.benchmarks.speed
	@$(BIN)/python -m tests.benchmarks.cluster

# IMAGES=200 RATES="0 10" for others; the rates are percent.
soak: $(READY)
	@$(BIN)/python -m tests.soak $(if $(IMAGES),--images $(IMAGES)) $(if $(RATES),--rates $(RATES))
	@$(BIN)/python -m tests.soak.sweeps

live: $(READY)
	@$(BIN)/python scripts/live.py

# Each stack has an environment of its own; STACKS="colab lowest" takes some of them. The table is build/matrix.md.
test-matrix: $(READY)
	@$(BIN)/python scripts/matrix.py $(STACKS)

clean:
	rm -rf build .venv .venv-* .coverage .coverage.* notebooks/pictures
