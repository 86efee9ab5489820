#!/bin/sh
# The compiler of this workspace's crates for fuzzing (RUSTC_WORKSPACE_WRAPPER): they are instrumented and checked, and what
# they depend on is as `make build` has it. What runs while building is left alone.
case " $* " in
*' --crate-name build_script_'* | *' --crate-name find_cuda_helper '*) exec "$@" ;;
esac
exec "$@" --cfg fuzzing -Cdebug-assertions=on -Coverflow-checks=on -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
