#!/bin/sh
# Runs every block of README.md that is marked `sh run`, in order, in the current folder.
# usage: run_readme.sh README.md   (the programs on PATH, model.bin in the current folder)
set -eu
awk '/^```sh run$/ { on = 1; next } /^```$/ { on = 0 } on' "$1" > pipelines.sh
sh -eux pipelines.sh
