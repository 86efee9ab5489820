# What cargo alone does not do. `make` prints the targets.

SHELL := /bin/sh
CARGO ?= cargo
BIN := target/release

help: ## Print the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

build: ## Build the programs, in target/release
	$(CARGO) build --release --workspace --bins

demo: build ## Train on MNIST, or on the built-in digits, and leave three pictures in demo/
	@examples/demo.sh

test: build ## Run every test
	$(CARGO) test --release --workspace

lint: ## Check formatting, and clippy with warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings

bench: build ## Measure speed, memory and size, beside PyTorch where it is installed
	$(CARGO) run --release -q -p pipe-tests --bin bench

clean: ## Remove what was built and made
	$(CARGO) clean
	rm -rf demo

.PHONY: help build demo test lint bench clean
