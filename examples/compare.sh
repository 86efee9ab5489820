#!/bin/sh
# Compares principal components, a plain autoencoder and a VAE: leaves compare/compare.png, test images in its first row and
# what each model makes of them in the others, and prints the squared error per pixel over all test images.
#
# EPOCHS=20 trains as long as the presets say, OUT=FOLDER takes another folder, IMAGES='mnist-dump --synthetic' other images.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
PATH="$root/target/release:$PATH"
OUT=${OUT:-$root/compare}
if [ -z "${IMAGES:-}" ]; then
    IMAGES='mnist-dump'
    [ -n "${MNIST_DIR:-}" ] || mnist-dump -n 1 > /dev/null 2>&1 || IMAGES='mnist-dump --synthetic'
fi
mkdir -p "$OUT"
cd "$OUT"

$IMAGES --split test -o test.vae
vae-cat --take 16 test.vae -o first.vae
columns='x=first.vae'
rows='--tensor x'
echo "$IMAGES, squared error per pixel of test images:"
for model in pca-20 ae-20 vae-64-10; do
    epochs="--epochs ${EPOCHS:-3}"
    [ $model != pca-20 ] || epochs= # found in one pass
    $IMAGES | vae-train --preset $model $epochs -o $model.bin > $model.jsonl
    vae-eval -m $model.bin test.vae -o $model.json
    printf '%-12s %.6f\n' $model "$(sed 's/.*"mse":\([^,}]*\).*/\1/' $model.json)"
    vae-encode -m $model.bin first.vae | vae-decode --npy x_hat > $model.npy
    columns="$columns $model=$model.npy"
    rows="$rows --tensor $model"
done
vae-cat $columns | grid-png $rows --nrow 16 -o compare.png
echo "look at $OUT/compare.png: from the top, test images, pca-20, ae-20, vae-64-10"
