# Every command of a working copy. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := host_tools/setup
BOARDS := esp32 esp32s3 esp32c3 rp2 rp2040 rp2350
BOARD_STUBS := $(BOARDS:%=build/typings-%)
# Options for pytest, e.g. make test TESTS="tests/unit -k i386"
TESTS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Trust whom the machine trusts, where it says so.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),1,0)

.PHONY: help
help: ## this list
	@echo 'msgin5g: MSGin5G for MicroPython boards, with a gateway, a server and tools.'
	@echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: setup
setup: ## get everything into .venv/ and build/ (nothing outside this folder)
	@$(MAKE) --silent --no-print-directory --jobs=4 --output-sync $(VENV)/.ready $(BOARD_STUBS:=/.ready) micropython peers browser

.PHONY: demo
demo: setup ## the whole system on this machine, on simulated boards
	@$(BIN)/msgin5g demo

.PHONY: test
test: setup lint ## every check: lint, types, firmware syntax, tests
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(TESTS)

.PHONY: faults
faults: setup ## a campaign of faults: RUNS=200 runs, SEED=... repeats one
	@$(BIN)/python -m tests.faults

.PHONY: emulate
emulate: setup ## a Pico's firmware with the client, emulated: UF2=file BOOTROM=file (needs node)
	@$(BIN)/python -m host_tools.emulate --uf2 '$(UF2)' --bootrom '$(BOOTROM)'

.PHONY: bench
bench: setup ## measure, print a table
	@$(BIN)/python -m bench

.PHONY: frozen
frozen: setup ## MicroPython with the firmware frozen in, which `make bench` then measures too
	@$(BIN)/python -m $(subst /,.,$(SETUP)).frozen

.PHONY: packages
packages: setup ## the firmware in components that boards install, compiled: build/packages
	@$(BIN)/python -m $(subst /,.,$(SETUP)).packages

.PHONY: lint
lint: setup ## ruff, pyright (host, each kind of board), mpy-cross
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo 'make format' mends the layout of the files above.; exit 1; }
	@$(BIN)/python -m $(subst /,.,$(SETUP)).mpy
	@$(BIN)/basedpyright --warnings
	@for board in $(BOARDS); do $(BIN)/basedpyright --project $(SETUP)/pyright-$$board.json || exit; done

.PHONY: format
format: $(VENV)/.ready ## lay out the code, mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format

.PHONY: lock
lock: $(VENV)/.ready ## renew the pinned versions
	@$(SETUP)/lock

.PHONY: clean
clean: ## forget .venv/, build/ and all caches
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment of the host tools, in two steps: uv by pip, the rest by uv in a tenth of pip's time.
$(VENV)/bin/uv: $(SETUP)/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=/path")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --require-hashes --requirement $<
	@touch $@

$(VENV)/.ready: requirements.lock pyproject.toml | $(VENV)/bin/uv
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(SETUP)/uv.txt requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
	@echo 'Python: $(VENV) is ready'

# What each family of boards offers, for pyright.
build/typings-%/.ready: $(SETUP)/stubs-%.txt | $(VENV)/bin/uv
	@rm -rf $(@D)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --target $(@D) --requirement $<
	@touch $@

.PHONY: micropython
micropython:
	@$(PYTHON) -m $(subst /,.,$(SETUP)).micropython

.PHONY: peers
peers:
	@$(PYTHON) -m $(subst /,.,$(SETUP)).peers

.PHONY: browser
browser:
	@$(PYTHON) -m $(subst /,.,$(SETUP)).browser
