#!/bin/sh
# From digit to digit: a row for each pair, 0 to 1, 1 to 2, and so on. An arc stays as far from the origin as draws from
# the prior lie; a straight line would cut through the middle, where few images are.
set -eu
. "$(dirname "$0")/setup.sh"

for class in 0 1 2 3 4 5 6 7 8 9 0; do
    digits --split test --only $class -n 1
done | vae-encode -m "$pretrained" | vae-sample --interpolate spherical --steps 12 | vae-decode |
    grid-png --nrow 12 --max 0 -o between.png

look between.png
