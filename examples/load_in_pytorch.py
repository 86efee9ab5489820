#!/usr/bin/env python3
"""Load a model of vae-train as a PyTorch module.

usage: load_in_pytorch.py model.bin images.npy x_hat.npy

Reads images [N, H, W] (uint8, or float32 from 0 to 1), encodes and decodes them through the mean, and writes the
reconstructions [N, H, W]. Needs torch, numpy and safetensors.
"""
import json
import sys

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn


class Vae(nn.Module):
    """D - hidden - (mu, logvar); Z - hidden reversed - D logits. The names of its state dict are those of the file."""

    def __init__(self, network):
        super().__init__()
        pixels = network["image"][0] * network["image"][1]
        down, up = [pixels, *network["hidden"]], [network["latent"], *network["hidden"][::-1]]
        self.encoder = self.stack(down)
        self.mu = nn.Linear(down[-1], network["latent"])
        self.logvar = nn.Linear(down[-1], network["latent"])
        self.decoder = self.stack(up)
        self.decoder.append(nn.Linear(up[-1], pixels))

    @staticmethod
    def stack(widths):
        layers = nn.Sequential()
        for i, o in zip(widths, widths[1:]):
            layers.append(nn.Linear(i, o)).append(nn.ReLU())
        return layers

    def encode(self, x):
        h = self.encoder(x)
        return self.mu(h), self.logvar(h)

    def decode(self, z):
        return torch.sigmoid(self.decoder(z))


def load(path):
    with safe_open(path, "pt") as file:
        network = json.loads(file.metadata()["vae"])["network"]
    model = Vae(network)
    model.load_state_dict(load_file(path))
    return model


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    model, images = load(sys.argv[1]), np.load(sys.argv[2])
    x = torch.from_numpy(images.astype(np.float32) / (255 if images.dtype == np.uint8 else 1)).flatten(1)
    with torch.no_grad():
        mu, logvar = model.encode(x)
        x_hat = model.decode(mu)
    np.save(sys.argv[3], x_hat.numpy().reshape(images.shape))
