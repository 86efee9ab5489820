#!/bin/sh
# Makes target/gpu-check, a folder for a machine with a GPU, which needs neither Rust nor this checkout: `run.sh` in it checks
# the programs there and measures them beside PyTorch. MNIST goes along if $MNIST_DIR or ~/.local/share/mnist has it.
set -eu
cd "$(dirname "$0")/../.."
cargo=${CARGO:-cargo}
folder=target/gpu-check
most=80 # MiB: what is easily sent somewhere
tools="mnist-dump vae-train vae-encode vae-decode vae-cat"
fail() { echo "make gpu-check: $*" >&2; exit 1; }

rm -rf "$folder"
whole=
trap '[ -n "$whole" ] || rm -rf "$folder"' EXIT
mkdir -p "$folder/bin" "$folder/peers" "$folder/kernels"
set --
for tool in $tools; do set -- "$@" -p "$tool"; done
$cargo build --release --bins "$@"
$cargo test --release -p common --test cuda --no-run --message-format json-render-diagnostics > "$folder/built" ||
    fail "the parity tests were not built: expected the test target cuda of the package common; see above"
parity=$(sed -n '/"name":"cuda"/s/.*"executable":"\([^"]*\)".*/\1/p' "$folder/built")
[ -x "$parity" ] || fail "cargo names no program of the parity tests: expected one, got '$parity'"
rm "$folder/built"

for tool in $tools; do cp "target/release/$tool" "$folder/bin"; done
cp "$parity" "$folder/bin/cuda-parity"
strip "$folder"/bin/* 2> /dev/null || true # cargo has done so already
cp kernels/*.cu kernels/*.h kernels/ptx.py "$folder/kernels"
cp -R kernels/ptx "$folder/kernels"
cp tests/peers/peer.py tests/peers/torch_*.py "$folder/peers"
cp tests/gpu/run.sh tests/gpu/steps.sh tests/gpu/checks.sh tests/gpu/bench.sh "$folder"
# compute-sanitizer, from PyPI: it wants its libraries beside it.
if python3 -m pip install -q --no-deps --target "$folder/pypi" nvidia-cuda-sanitizer-api-cu12==12.9.79; then
    mkdir "$folder/sanitizer"
    cp "$folder"/pypi/nvidia/cuda_sanitizer_api/bin/compute-sanitizer "$folder"/pypi/nvidia/cuda_sanitizer_api/lib/*.so \
        "$folder"/pypi/*.dist-info/licenses/* "$folder/sanitizer"
    chmod +x "$folder/sanitizer/compute-sanitizer"
else
    echo "make gpu-check: PyPI gives no compute-sanitizer: run.sh takes one that is installed, or skips its parts"
fi
rm -rf "$folder/pypi"
{ git describe --always --dirty 2> /dev/null || echo "no commit"; } > "$folder/commit"
for data in "${MNIST_DIR:-}" "${XDG_DATA_HOME:-$HOME/.local/share}/mnist"; do
    if ls "$data"/train-images* > /dev/null 2>&1; then
        mkdir "$folder/mnist"
        cp "$data"/train-* "$data"/t10k-* "$folder/mnist"
        break
    fi
done

size=$(du -sm "$folder" | cut -f 1)
[ -d "$folder/mnist" ] || echo "make gpu-check: no MNIST here: the known losses will not be checked"
[ "$size" -le "$most" ] || fail "$folder is too large: expected at most $most MiB, got $size; leave MNIST out, or unpack less"
whole=yes
echo "$folder: $size MiB. Copy it to a machine with an NVIDIA GPU, and type ./run.sh there (20 minutes at most)."
