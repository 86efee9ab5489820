#!/bin/sh
# Makes images.npy, model.bin and x_hat.npy: 16 digits of 8 x 8 pixels, a model of their like, and what PyTorch makes of them.
# Needs the programs on PATH, and a PYTHON with numpy, torch and safetensors.
set -eu
cd "$(dirname "$0")"
mnist-dump --synthetic=2000 --npy x > digits.npy
${PYTHON:-python3} -c '
import numpy as np
digits = np.load("digits.npy")[:, 2:26, 2:26].reshape(-1, 8, 3, 8, 3).mean((2, 4)).astype(np.uint8)
np.save("digits.npy", digits)
np.save("images.npy", digits[:16])'
vae-train --hidden 12 --latent 3 --epochs 30 --lr 1e-2 digits.npy -o model.bin > /dev/null
rm digits.npy
${PYTHON:-python3} ../../../examples/load_in_pytorch.py model.bin images.npy x_hat.npy
