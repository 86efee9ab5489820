#!/bin/sh
# The classic small VAE, 784 - 400 - 20: the same 64 samples from the prior after every epoch.
set -eu
. "$(dirname "$0")/setup.sh"

rm -f sample-*.png # left by a longer run
digits --split test -o test.vae
digits | train --preset mlp-400-20 --test test.vae --preview 64 -o model.bin |
    grid-png --group sample -o 'sample-{epoch:02}.png'

look sample-*.png
