# The front door. `make` alone lists what there is.
#
#   OUT            where everything that is not compiled goes (default: out)
#   BUILD          the dev build's folder (default: build/dev)
#   JOBS           compilers at a time (default: by cores and memory, see tools/build)
#   TELLTALE_DATA  recorded drives, used where present (default: ../shared/data)
#   PREFIX, DESTDIR  where `make install` puts it (default: /usr/local, below DESTDIR)

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

OUT ?= out
override OUT := $(abspath $(OUT))
BUILD ?= build/dev
override BUILD := $(abspath $(BUILD))
PREFIX ?= /usr/local
TELLTALE_DATA ?= ../shared/data
override TELLTALE_DATA := $(abspath $(TELLTALE_DATA))
export OUT BUILD TELLTALE_DATA
# The tools' python3 is the one with the pinned wheels.
export PATH := $(OUT)/venv/bin:$(PATH)

.PHONY: help setup build demo demo-rollout test test-full bench shows lint install package clean

help: ## list the targets
	@echo "make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## install what is missing (Debian packages, Python wheels); the others do it by themselves
	@tools/setup

build: setup ## compile everything once (dev preset, build/dev)
	@tools/build dev

demo: build ## drive a fleet through it for about a minute and show what arrived (KEEP=1 stays up)
	@tools/demo

demo-rollout: build ## a good and two bad releases on a fleet of 4,000, unattended (4 minutes)
	@tools/demo-rollout

test: build ## unit tests, short end-to-end tests, formatting, house rules (cold: 12 min at most)
	@tools/check test

test-full: setup ## parsers and stores under ASan/UBSan, fuzzers, log and gateway under TSan, all on Kafka
	@tools/check test-full

bench: setup ## what each stage does on this machine, from a release build (minutes)
	@bench/run

shows: build ## the long proofs of one area: make shows AREA=skeleton [SHOW=NN]
	@tests/shows/run $(if $(AREA),--area "$(AREA)") $(if $(SHOW),--show "$(SHOW)")

lint: setup ## formatting and house rules alone
	@tools/check lint

install: setup ## release build into PREFIX (default /usr/local), below DESTDIR; see docs/install.md
	@tools/build release telltale telltale-worker telltale-lake telltale-vault
	@umask 022 && DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)" --strip \
	  >build/release/install.log
	@echo "installed: $(DESTDIR)$(PREFIX)/bin/telltale (files: build/release/install_manifest.txt)"

package: setup ## a .deb and a tarball of the release build in OUT/package
	@tools/package

clean: ## remove build/ and out/ of this tree
	rm -rf build out
