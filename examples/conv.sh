#!/bin/sh
# A convolutional VAE: reconstructions of test digits, and samples from the prior.
set -eu
. "$(dirname "$0")/setup.sh"

digits --split test -o test.vae
digits | train --preset conv-20 --test test.vae -o model.bin > losses.jsonl

vae-cat --take 32 test.vae | vae-encode -m model.bin --keep x | vae-decode |
    grid-png --tensor x --tensor x_hat -o recon.png
vae-sample -m model.bin -n 64 | vae-decode | grid-png -o samples.png

look recon.png samples.png
