#!/bin/sh
# Trains the classic small VAE for 3 epochs and writes demo/out.png, demo/compare.png and demo/samples.png.
# Reads MNIST from $MNIST_DIR or the user's data folder, else the built-in synthetic digits.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
PATH="$root/target/release:$PATH"
mkdir -p "$root/demo"
cd "$root/demo"

if [ -n "${MNIST_DIR:-}" ] || mnist-dump -n 1 > /dev/null 2>&1; then
    echo "training on MNIST"
    images='mnist-dump'
else
    echo "no MNIST here: training on synthetic digits (mnist-dump --help tells of other ways)"
    images='mnist-dump --synthetic'
fi
run() {
    echo "+ $1"
    sh -c "$1"
}
run "$images --split test -o test.vae"
run "$images | vae-train --preset mlp-400-20 --lr 1e-3 --epochs 3 --test test.vae -o model.bin"
run "$images | vae-encode -m model.bin | vae-decode | grid-png > out.png"
run "$images --split test | vae-encode -m model.bin --keep x | vae-decode | grid-png --tensor x --tensor x_hat > compare.png"
run "vae-sample -m model.bin -n 64 | vae-decode | grid-png > samples.png"
echo "look at demo/out.png, demo/compare.png and demo/samples.png"
