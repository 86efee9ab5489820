#!/usr/bin/env bash
# Tests the crates with unsafe code under AddressSanitizer, with the stable compiler: tests/asan.sh [ARGUMENTS OF cargo test].
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
# A doctest would need the same flags; the standard library is as it comes.
RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=address -Cdebuginfo=line-tables-only' CARGO_TARGET_DIR=target/asan \
    ${CARGO:-cargo} test --release --target "$target" --lib --bins --tests -p common -p vae-stream -p vae-cli -p cuda-driver \
    -p kernels "$@"
