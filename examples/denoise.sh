#!/bin/sh
# A VAE trained on noisy digits alone denoises them: 20 latent dimensions encode the digit, but not its noise.
# Rows: the digits, the noisy digits, and their reconstructions.
set -eu
. "$(dirname "$0")/setup.sh"
needs_numpy

noise='
import sys, numpy, vae_stream
random = numpy.random.default_rng(int(sys.argv[1]))
def noisy(x):
    return numpy.where(random.random(x.shape) < 0.2, random.integers(256, size=x.shape), x).astype("u1")
read = vae_stream.read(sys.stdin.buffer)
frames = ({**arrays, "noisy": noisy(arrays["x"])} for line, arrays in read if line["type"] == "data")
vae_stream.write(sys.stdout.buffer, frames)
'
digits | "$python" -c "$noise" 1 | vae-cat --npy noisy | train --lr 1e-3 -o model.bin > losses.jsonl
digits --split test -n 32 | "$python" -c "$noise" 2 |
    vae-encode -m model.bin --tensor noisy --keep noisy | vae-decode |
    grid-png --tensor x --tensor noisy --tensor x_hat --nrow 16 --normalize --range 0.1,0.9 -o denoised.png

look denoised.png
