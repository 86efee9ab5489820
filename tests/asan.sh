#!/usr/bin/env bash
# Tests the crates with unsafe code under AddressSanitizer, with the stable compiler: tests/asan.sh [OPTIONS OF cargo test].
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/asan RUSTFLAGS='-Zsanitizer=address'
export CARGO_PROFILE_RELEASE_STRIP=none CARGO_PROFILE_RELEASE_DEBUG=line-tables-only
# The standard library is as it comes. loom, which threads::model is for, leaks its own scheduler and runs no real threads.
${CARGO:-cargo} test --release --target "$target" --lib --bins --tests --no-fail-fast \
    -p common -p vae-stream -p vae-cli -p cuda-driver -p kernels "$@" -- --skip threads::model::
