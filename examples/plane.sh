#!/bin/sh
# A VAE with 2 latent dimensions: its manifold, the latents of test images, and the reconstructions at each checkpoint.
set -eu
. "$(dirname "$0")/setup.sh"

digits --split test -o test.vae
digits | train --preset mlp-512-256-2 --test test.vae -o model.bin \
    --checkpoint 'epoch-{epoch}.ckpt' --resume >> losses.jsonl

# A checkpoint is also a model.
for checkpoint in epoch-*.ckpt; do
    vae-cat --take 32 test.vae | vae-encode -m "$checkpoint" --keep x | vae-decode |
        grid-png --tensor x --tensor x_hat -o "recon-${checkpoint%.ckpt}.png"
done
vae-sample -m model.bin --manifold 20 | vae-decode | grid-png --nrow 20 --padding 0 --max 0 -o manifold.png
vae-model page -m model.bin -o explore.html # an interactive page of the latent plane

vae-plot loss losses.jsonl -o loss.png
vae-encode -m model.bin test.vae | vae-plot latent --size 560x496 -o latent.png

look recon-*.png manifold.png loss.png latent.png explore.html
