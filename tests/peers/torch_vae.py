#!/usr/bin/env python3
"""PyTorch training the same network on the same images: what `make bench` measures vae-train against.

usage: torch_vae.py train.npy test.npy [--hidden 400] [--latent 20] [--lr 1e-3] [--batch 128] [--epochs 3] [--threads 2]

The images are uint8 [N, H, W], held as float32 in one tensor and gathered by index: no loader slows it down, and Adam is
PyTorch's fused one. One JSON line per epoch: seconds of training, train and test loss in nats per image. Needs torch and
numpy.
"""
import argparse
import json
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("train")
parser.add_argument("test")
parser.add_argument("--hidden", default="400")
parser.add_argument("--latent", type=int, default=20)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--batch", type=int, default=128)
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--threads", type=int)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
torch.manual_seed(args.seed)
if args.threads:
    torch.set_num_threads(args.threads)


def images(path):
    return torch.from_numpy(np.load(path).astype(np.float32) / 255).flatten(1)


def stack(widths):
    layers = nn.Sequential()
    for i, o in zip(widths, widths[1:]):
        layers.append(nn.Linear(i, o)).append(nn.ReLU())
    return layers


class Vae(nn.Module):
    def __init__(self, pixels, hidden, latent):
        super().__init__()
        self.encoder = stack([pixels, *hidden])
        self.mu, self.logvar = nn.Linear(hidden[-1], latent), nn.Linear(hidden[-1], latent)
        self.decoder = stack([latent, *hidden[::-1]]).append(nn.Linear(hidden[0], pixels))

    def loss(self, x):
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        recon = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        return recon - 0.5 * torch.sum(1 + logvar - mu * mu - logvar.exp())


train, test = images(args.train), images(args.test)
model = Vae(train.shape[1], [int(h) for h in args.hidden.split(",")], args.latent)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, fused=True)
for epoch in range(1, args.epochs + 1):
    begun, total = time.perf_counter(), torch.zeros(())
    order = torch.randperm(len(train))
    for first in range(0, len(train), args.batch):
        x = train[order[first : first + args.batch]]
        optimizer.zero_grad()
        loss = model.loss(x) / len(x)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(x)
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        held = sum(model.loss(test[i : i + 500]).item() for i in range(0, len(test), 500)) / len(test)
    record = {"kind": "epoch", "peer": f"PyTorch {torch.__version__}", "epoch": epoch, "seconds": round(seconds, 4)}
    print(json.dumps({**record, "train": total.item() / len(train), "test": held}), flush=True)
