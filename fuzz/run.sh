#!/usr/bin/env bash
# Builds the fuzz targets with the stable compiler, and runs each for some seconds: fuzz/run.sh SECONDS [TARGET ...].
#
# libFuzzer is C++ inside a crate: g++ or clang++ builds it. What a target finds beyond the corpus lies in target/fuzz; an input
# that breaks one is named crash-*, and belongs into fuzz/corpus/TARGET/found-* once the fault is mended.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v "${CXX:-g++}" > /dev/null || { echo 'there is no C++ compiler for libFuzzer: apt-get install g++' >&2; exit 1; }
seconds=$1
shift
RUSTC_WORKSPACE_WRAPPER=$PWD/fuzz/rustc.sh ${CARGO:-cargo} build -q --release -p vae-fuzz --features libfuzzer --bins
[ $# -gt 0 ] || set -- $(cd fuzz/fuzz_targets && ls | sed 's/\.rs$//')
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
ulimit -v 4194304 # an allocation of what a header claims fails
for target; do
    mkdir -p "target/fuzz/$target"
    "target/release/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="target/fuzz/$target-" "target/fuzz/$target" "fuzz/corpus/$target" fuzz/attacks/* 2> "target/fuzz/$target.log" ||
        { tail -n 40 "target/fuzz/$target.log" >&2; echo "$target: see target/fuzz/$target.log" >&2; exit 1; }
    grep '^SKIPPED' "target/fuzz/$target.log" >&2 || true
    sed -n "s/^stat::number_of_executed_units: */$target: inputs /p" "target/fuzz/$target.log"
done
