#!/bin/sh
# Checks the programs beside this script on the GPU of this machine, measures them beside PyTorch, and prints a table last.
# usage: run.sh [PART...]
#   parity       every operation on the GPU beside the CPU
#   memcheck     compute-sanitizer on small networks: memory
#   racecheck    the same: races of threads
#   initcheck    the same: reads of memory that was not written
#   synccheck    the same: barriers that not every thread reaches
#   losses       training ends where it is known to
#   small        seconds per epoch of a small network, beside PyTorch
#   wide         of a wide one in large batches
#   pipes        images per second through vae-encode | vae-decode, beside the CPU
# All of them, in 20 minutes at most, if none is named. What is not there for a part, say PyTorch, is told in the table. Exits
# with 1 if anything that ran went wrong. table.md, records.jsonl and log.txt are left in $OUT, or ./out. May be set before:
#   PYTHON       a Python with torch and numpy; else python3
#   MNIST_DIR    MNIST; else the folder mnist beside this script, or synthetic digits
#   LIMIT        seconds for everything; else 1140
# and to try it quickly, or without a GPU: IMAGES, TEST_IMAGES, EPOCHS, SEEDS, SMALL, WIDE, ROUNDS,
# DEVICE_OF_TORCH, SANITIZER, NETWORKS.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/bin
PATH=$bin:$PATH
all="parity memcheck racecheck initcheck synccheck losses small wide pipes"
parts=${*:-$all}
for part in $parts; do
    case " $all " in *" $part "*) ;; *)
        echo "run.sh: there is no part '$part': expected some of $all; leave them out for all" >&2
        exit 2 ;;
    esac
done

out=${OUT:-out}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
child=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$child" ] || kill "$child"; exit 130' INT TERM
. "$here/steps.sh"
. "$here/checks.sh"
. "$here/bench.sh"
end=$(($(now) + ${LIMIT:-1140}))
: > "$out/log.txt"
: > "$out/records.jsonl"
: > "$work/rows"
: > "$work/heading"
for part in machine $parts; do
    # Without a GPU the rest would only fail in the same way.
    "$part" || break
done
table > "$out/table.md"
echo
cat "$out/table.md"
! grep -q '| NOT ok |' "$out/table.md"
