#!/bin/sh
# A conditional VAE with a learned prior per class: samples of each digit.
set -eu
. "$(dirname "$0")/setup.sh"

rm -f draws-*.png # left by a longer run
digits | train --preset cvae-prior --preview 10 -o model.bin |
    grid-png --group sample --nrow 5 --titles y --suptitle 'epoch {epoch} loss {loss:.2f}' --colormap BuGn \
        --scale 2 -o 'draws-{epoch:02}.png'
vae-sample -m model.bin --classes 0-9 --per-class 12 | vae-decode |
    grid-png --by y --nrow 12 --titles y --colormap BuGn -o classes.png

look draws-*.png classes.png
