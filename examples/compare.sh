#!/bin/sh
# PCA, a plain autoencoder and a VAE side by side: their reconstructions of test images, and their mean squared errors.
set -eu
. "$(dirname "$0")/setup.sh"

digits --split test -o test.vae
vae-cat --take 16 test.vae -o first.vae
digits | vae-train --preset pca-20 -o pca-20.bin > losses.jsonl # one pass over the data
digits | train --preset ae-20 -o ae-20.bin >> losses.jsonl
digits | train --preset vae-64-10 -o vae-64-10.bin >> losses.jsonl

columns='x=first.vae'
rows='--tensor x'
for model in pca-20 ae-20 vae-64-10; do
    vae-eval -m $model.bin test.vae -o $model.json
    printf '%-12s %s per pixel\n' $model "$(sed 's/.*"mse":\([^,}]*\).*/\1/' $model.json)"
    vae-encode -m $model.bin first.vae | vae-decode --npy x_hat > $model.npy
    columns="$columns $model=$model.npy"
    rows="$rows --tensor $model"
done
# Each model is a column of the stream and a row of the picture.
vae-cat $columns | grid-png $rows --nrow 16 -o compare.png

look compare.png
