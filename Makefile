# What cargo alone does not do. `make` prints the targets.

SHELL := /bin/sh
CARGO ?= cargo
BIN := target/release
PREFIX ?= /usr/local
# dash and zsh leave the ~ of PREFIX=~/.local to us.
ROOT = $(DESTDIR)$(patsubst ~/%,$(HOME)/%,$(PREFIX))
TOOLS := $(sort $(notdir $(wildcard tools/*)))

help: ## Print the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

build: ## Build the programs, in target/release
	$(CARGO) build --release --bins

demo: build ## Train on MNIST, or on the built-in digits, and leave three pictures in demo/
	@examples/demo.sh

examples: build ## Run every example, quickly, on synthetic digits and on MNIST if it is there, in target/examples
	@rm -rf target/examples
	+@examples/all.sh target/examples

test: build ## Run every test
	$(CARGO) test --release --workspace

test-page: build ## Run the tests of the pages in Chromium (apt-get install chromium); they leave pictures in target/page
	@command -v chromium > /dev/null || { echo 'there is no Chromium: apt-get install chromium' >&2; exit 1; }
	$(CARGO) test --release -p pipe-tests browser:: -- --ignored

fuzz: ## Feed every reader with any bytes for some seconds each (SECONDS=10, TARGETS='stream npy'; see fuzz/README.md)
	@CARGO='$(CARGO)' fuzz/run.sh $(or $(filter-out 0,$(SECONDS)),10) $(TARGETS)

asan: ## Run the tests of the crates with unsafe code, and of their programs, under AddressSanitizer
	@CARGO='$(CARGO)' tests/asan.sh

lint: ## Check formatting, clippy and the documentation with warnings denied, and the dependencies (deny.toml)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release -p vae-stream --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --release --workspace --no-deps
	@CARGO='$(CARGO)' tests/deny.sh

kernels: target/nvrtc/bin/python ## Compile the CUDA kernels anew, with NVRTC from PyPI (CHECK=--check: only compare)
	target/nvrtc/bin/python kernels/ptx.py $(CHECK)

target/nvrtc/bin/python:
	python3 -m venv target/nvrtc
	target/nvrtc/bin/pip install -q nvidia-cuda-nvrtc-cu12==12.0.76

ptxas: target/ptxas/old target/ptxas/new ## Compile the PTX for every GPU, with the oldest and the newest ptxas from PyPI (WRITE=--write: kernels/RESULTS.md)
	python3 kernels/ptxas.py $^ $(WRITE)

target/ptxas/old:
	python3 -m pip install -q --no-deps --target $@ nvidia-cuda-nvcc-cu12==12.0.76

target/ptxas/new:
	python3 -m pip install -q --no-deps --target $@ nvidia-cuda-nvcc nvidia-cuda-nvdisasm

gpu-model: build ## Print a model of the time of an epoch on an A100 and an H100, from what the emulator counts (a quarter of an hour)
	$(CARGO) build --release -p cuda-interpreter
	python3 kernels/model.py $(BIN) $(BIN)/libcuda_interpreter.so

bench: build ## Measure everything beside JAX and PyTorch (PEERS=no: alone; ONLY=section, ROWS=word, PROGRAMS=word, ROUNDS=5: a part; QUIET=10: not beside busy programs; LIST=yes: names)
ifeq ($(ONLY),micro)
	$(CARGO) bench -q -p vae-bench --bench micro
else
	$(CARGO) build --release -p vae-bench
ifdef LIST
	@$(BIN)/bench --list
else
	@PYTHON="$$(PEERS=$(PEERS) ONLY=$(ONLY) PROGRAMS=$(PROGRAMS) tests/peers/venv.sh '$(CURDIR)/target/bench-venv')" $(BIN)/bench \
	    $(ONLY:%=--only %) $(ROWS:%=--rows %) $(PROGRAMS:%=--programs %) $(ROUNDS:%=--rounds %) $(QUIET:%=--quiet %)
endif
endif

bench-doc: ## Write what `make bench` measured on this machine into docs/BENCHMARKS.md
	$(CARGO) build --release -p vae-bench
	@$(BIN)/bench --document docs/BENCHMARKS.md

torture: build ## Kill, starve and damage the programs (KILLS=1000; DAMAGED=200; ONLY=kills, space, syscalls, descriptors, limits or damage; SEED=0)
	$(CARGO) build --release -p vae-torture
	@$(BIN)/torture $(ONLY:%=--only %) $(KILLS:%=--kills %) $(DAMAGED:%=--damaged %) $(SEED:%=--seed %)

gpu-check: ## Make target/gpu-check, a folder whose run.sh checks and measures everything on a machine with an NVIDIA GPU
	+@CARGO='$(CARGO)' tests/gpu/pack.sh

# Under sudo there may be no cargo: then what was built is installed.
install: $(if $(shell command -v $(firstword $(CARGO))),build) ## Install programs, man pages, completions and the pretrained model (PREFIX=/usr/local, DESTDIR=)
	@packaging/install.sh $(BIN) '$(ROOT)' $(TOOLS)

uninstall: ## Remove all of that again (the same PREFIX and DESTDIR)
	@packaging/uninstall.sh '$(ROOT)'

dist: build ## Make an archive of it, target/dist/vae-pipes-VERSION-x86_64-linux.tar.gz, which runs on Debian 12
	@packaging/dist.sh $(BIN) target/dist $(TOOLS)

pictures: build ## Make the pictures of the documents anew, by their own pipelines, by the examples, and in Chromium
	@rm -rf target/readme target/recipes && mkdir -p target/readme target/recipes
	for page in README docs/RECIPES; do name=$$(basename $$page | tr A-Z a-z) && cp examples/mlp-400-20.bin target/$$name/model.bin && \
	    (cd target/$$name && PATH="$(CURDIR)/$(BIN):$$PATH" ../../examples/run_page.sh ../../$$page.md) || exit; done
	cd target/readme && PATH="$(CURDIR)/$(BIN):$$PATH" ../../pictures/watch.sh
	for name in conv plane cvae compare; do examples/$$name.sh target/readme/$$name || exit; done
	cp target/readme/*.png pictures/
	cd target/recipes && cp between.png draws.png loss.png shards.png walk.png epochs/recon-001.png epochs/recon-003.png ../../pictures/
	cd target/readme && cp conv/recon.png ../../pictures/conv.png && cp plane/manifold.png ../../pictures/plane.png
	cp target/readme/plane/latent.png pictures/
	cd target/readme && cp cvae/draws-16.png ../../pictures/cvae.png && cp compare/compare.png ../../pictures/models.png

clean: ## Remove what was built and made
	$(CARGO) clean
	rm -rf demo out

.PHONY: help build demo examples test test-page fuzz asan torture lint kernels ptxas gpu-model bench bench-doc gpu-check install uninstall dist pictures clean
