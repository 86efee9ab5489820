#!/bin/sh
# Latent arithmetic: fours + t (mean of nines - mean of fours). Each four closes at the top, in its own handwriting.
set -eu
. "$(dirname "$0")/setup.sh"
needs_numpy

close='
import sys, numpy, vae_stream
frames = [arrays for line, arrays in vae_stream.read(sys.stdin.buffer) if line["type"] == "data"]
z, y = (numpy.concatenate([arrays[name] for arrays in frames]) for name in "zy")
direction = z[y == 9].mean(0) - z[y == 4].mean(0)
rows = [four + t * direction for four in z[y == 4][:8] for t in numpy.linspace(0, 1.5, 7)]
vae_stream.write(sys.stdout.buffer, [{"z": numpy.array(rows)}])
'
digits --split test --only 4,9 | vae-encode -m "$pretrained" | "$python" -c "$close" | vae-decode -m "$pretrained" |
    grid-png --nrow 7 -o fours.png

look fours.png
