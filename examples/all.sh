#!/bin/sh
# Runs every example and the Makefile on a few synthetic digits, then on MNIST if it is installed.
# usage: all.sh FOLDER
set -eu
examples=$(cd "$(dirname "$0")" && pwd)
export PATH="$examples/../target/release:$PATH" EPOCHS="${EPOCHS:-2}"
[ -z "${MNIST_DIR:-}" ] || MNIST_DIR=$(cd "$MNIST_DIR" && pwd) # absolute, since make runs in another folder
failed=

# Records a failure and goes on.
try() {
    echo "== $*"
    "$@" || failed="$failed
    $*"
}
try_all() {
    for script in "$examples"/*.sh; do
        if grep -q '/setup\.sh"$' "$script"; then try "$script" "$1/$(basename "$script" .sh)"; fi
    done
    mkdir -p "$1/stages"
    try "${MAKE:-make}" -s -C "$1/stages" -f "$examples/Makefile"
    try ls "$1/stages"
}

DATA=--synthetic=1000
export DATA
try_all "$1/synthetic"
unset DATA
if [ -n "${MNIST_DIR:-}" ] || mnist-dump -n 1 > /dev/null 2>&1; then
    try_all "$1/mnist"
else
    echo "SKIPPED: MNIST is not here"
fi
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
