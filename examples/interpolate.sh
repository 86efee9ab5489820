#!/bin/sh
# Interpolation between digits: one row per pair, 0 to 1, 1 to 2, and so on. Spherical interpolation keeps the norm of
# draws from the prior; a straight line passes near the origin, where the prior has little mass.
set -eu
. "$(dirname "$0")/setup.sh"

for class in 0 1 2 3 4 5 6 7 8 9 0; do
    digits --split test --only $class -n 1
done | vae-encode -m "$pretrained" | vae-sample --interpolate spherical --steps 12 | vae-decode |
    grid-png --nrow 12 --max 0 -o between.png

look between.png
