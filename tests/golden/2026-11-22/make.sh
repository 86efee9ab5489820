#!/bin/sh
# Makes the files beside it, but for models.txt and options.txt, which it reads. They are written by the release of 22 November
# 2026 (commit e0d1493), and every later one reads them: tests/tests/pipe/golden/release.rs.
# usage: make.sh   (the programs of that release on PATH; jq)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=/tmp/vae-2026-11-22 # latents.vae records where its model is
rm -rf "$work"
mkdir "$work"
cd "$work"
# The instructions that every CPU has, so that every CPU computes the same bits.
export VAE_DEVICE=cpu VAE_CPU=portable

# 12 x 12 pixels, every second one of the middle of a digit.
small='.x |= [.[2:26] | range(0; 24; 2) as $r | [.[$r][2:26] | range(0; 24; 2) as $c | .[$c]]]'
mnist-dump --synthetic=40 --jsonl | jq -c "$small" | vae-cat -o images.vae
mnist-dump --synthetic=10 --split test --jsonl | jq -c "$small" > images.jsonl
vae-cat images.jsonl -o test.vae
vae-cat images.jsonl --npy x -o images.npy

# A model of each kind, the latents of the test images, and what it decodes them to.
while read -r name options; do
    train="--epochs 20 --batch 8 --lr 1e-2"
    case $name in pca) train= ;; esac
    vae-train $options $train images.vae -o "$name.bin" > /dev/null
    vae-encode -m "$name.bin" test.vae -o z.vae
    vae-cat z.vae --npy z -o "$name-z.npy"
    vae-decode z.vae --npy x_hat -o "$name-x_hat.npy"
done < "$here/models.txt"
rm z.vae

# Streams: the model by name and embedded, and latents as newline JSON.
vae-encode -m mlp.bin --keep x test.vae -o latents.vae
vae-encode -m mlp.bin --embed-model --emit z,mu,logvar --sample --seed 3 test.vae -o embedded.vae
vae-encode -m mlp.bin --jsonl test.vae -o latents.jsonl
vae-train --hidden 8 --latent 2 --epochs 2 --batch 8 --preview 3 --test test.vae images.vae -o preview.bin > preview.vae
rm preview.bin

# Records.
vae-train --hidden 8 --latent 2 --epochs 3 --batch 8 --test test.vae images.vae -o run.bin > run.jsonl
rm run.bin
vae-eval -m mlp.bin -k 5 --per-image test.vae > eval.jsonl
vae-model info mlp.bin > info.json
vae-cat --head latents.vae > head.json
vae-cat --check preview.vae > check.json

# checkpoint NAME OPTIONS: NAME-checkpoint.bin of a run that is killed in the middle of an epoch, and NAME-resumed.bin, in which it ends.
checkpoint() {
    name=$1
    shift
    run="$* --epochs 60 --batch 7 --lr 3e-3 --seed 3 images.vae"
    vae-train $run -o "$name-resumed.bin" > /dev/null
    until vae-model info "$name-checkpoint.bin" 2> /dev/null | jq -e -s '.[0].checkpoint | .epoch > 10 and .at > 0' > /dev/null; do
        rm -f "$name-checkpoint.bin"
        timeout -s KILL 0.2 vae-train $run --every 7 --checkpoint "$name-checkpoint.bin" -o killed.bin > /dev/null || :
    done
    cp "$name-checkpoint.bin" again-checkpoint.bin
    vae-train $run --resume --checkpoint again-checkpoint.bin -o again.bin > /dev/null
    cmp again.bin "$name-resumed.bin"
    rm again*
}
checkpoint mlp --hidden 8 --latent 2
checkpoint conv --conv 3,4 --latent 2

# options.txt: every option, with every value that has a name; --help behind it lets nothing run.
while read -r line; do
    $line --help > /dev/null
done < "$here/options.txt"
tools="mnist-dump vae-train vae-encode vae-decode vae-sample vae-eval vae-model vae-plot vae-cat grid-png vae-watch"
for command in $tools "vae-model info" "vae-model verify" "vae-model export" "vae-model import" "vae-model page" \
    "vae-plot loss" "vae-plot latent"; do
    $command --help | sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z0-9-]*\).*/\2/p; s/^ *\(-[a-zA-Z]\)[, ].*/\1/p' |
        while read -r option; do
            grep -q -- "^$command $option\( \|=\|\$\)" "$here/options.txt" || echo "options.txt lacks $command $option" >&2
        done
done

cp ./* "$here"
rm -rf "$work"
