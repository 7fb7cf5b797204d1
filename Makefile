# make run    the whole site          make check   format, lint, types, migrations
# make stop   end it from elsewhere
# make test   all tests               make bench   measure (bench/results.json)
# make run EXTRAS=tensorboard         with what not everybody needs
# make bundle EXTRAS="s3 zstd"        one file with all packages, for machines like this one without internet

# The first that really runs: a name on the PATH may be a version manager's stand-in for nothing.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; \
  done || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
ALL_EXTRAS := dicom ldap oidc onnx otel raw s3 sentry tensorboard video zstd

# What is built from source against libraries of the system, which docs/operations.md names, is not for everybody's tests.
BUILT_EXTRAS := ldap
# Where the packages are from: the folder that a bundle brings along, for machines without internet, or the index.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
  $(if $(wildcard packages),--no-index --find-links packages)

.PHONY: run stop test check bench lock format bundle

run: $(VENV)/installed $(EXTRAS:%=$(VENV)/installed-%)
	@$(BIN)/python manage.py serve

stop: $(VENV)/installed
	@$(BIN)/python manage.py stop

# Two at a time: most tests wait for a process of their own. A file's tests stay together, for they share what is slow,
# and files are begun in the order of tests/order.py.
test: $(VENV)/installed-dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@HTTPS=true HSTS_SECONDS=31536000 HSTS_SUBDOMAINS=true SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))') \
	  $(BIN)/python manage.py check --deploy --fail-level WARNING

bench: $(VENV)/installed-dev
	@$(BIN)/python -m bench

bundle: $(VENV)/bin/python
	@$(BIN)/python deploy/bundle.py $(EXTRAS)

format: $(VENV)/installed-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# The versions with their hashes, for Python 3.11 to 3.13 on every system. Needs network.
lock: $(VENV)/installed-dev
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --override requirements.overrides requirements.in -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  requirements-dev.in -o requirements-dev.txt
	@for extra in $(ALL_EXTRAS) gpu; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    requirements-$$extra.in -o requirements-$$extra.txt; done
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  tests/requirements-mediapipe.in -o tests/requirements-mediapipe.txt

$(VENV)/bin/python:
	@$(PYTHON) --version >/dev/null 2>&1 || \
	  { echo "PoetsWeb needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is not here. Say which: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) poetsweb/platforms.py
	@$(PYTHON) -m venv $(VENV)

# --no-deps: the lists are complete, and one of our dependencies asks for a package under its other name
# (see requirements.overrides).
$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	@echo "Installing the packages PoetsWeb needs (once, about two minutes) …"
	@$(INSTALL) -r requirements.txt
	@touch $@

# What not everybody needs, by the names after EXTRAS=: dicom, ldap, oidc, onnx, otel, raw, s3, sentry, tensorboard, video, zstd.
$(VENV)/installed-%: requirements-%.txt $(VENV)/installed
	@echo "Installing the packages for $* …"
	@$(INSTALL) -r $<
	@touch $@

# An environment of its own, with which tests read exported files: POETSWEB_MEDIAPIPE_PYTHON is its Python.
.venv-mediapipe/installed: tests/requirements-mediapipe.txt | $(VENV)/bin/python
	@echo "Installing MediaPipe …"
	@$(BIN)/python -m venv .venv-mediapipe
	@.venv-mediapipe/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed \
  $(patsubst %,$(VENV)/installed-%,$(filter-out $(BUILT_EXTRAS),$(ALL_EXTRAS)))
	@$(INSTALL) -r requirements-dev.txt
	@touch $@
