"""What the peers of `make bench` share: their options, their images, and what they report."""
import argparse
import json

import numpy as np


def options(about):
    """A parser of what every peer understands."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", help="images, .npy, uint8 [N, H, W]")
    parser.add_argument("test", help="the same")
    parser.add_argument("--hidden", type=lambda text: [int(h) for h in text.split(",")], default=[400], metavar="H,H")
    parser.add_argument("--latent", type=int, default=20)
    parser.add_argument("--activation", choices=["relu", "tanh"], default="relu")
    parser.add_argument("--samples", type=int, default=1, help="L, draws of z for each image")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of the operands of matrix products")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def images(path):
    """float32 [N, D], from 0 to 1."""
    pixels = np.load(path)
    return pixels.reshape(len(pixels), -1).astype(np.float32) / 255


def labels(path):
    """int64 [N]."""
    return np.load(path).astype(np.int64)


def report(peer, epoch, seconds, train, test):
    """Writes a line of JSON: seconds of training, and losses, means over images."""
    record = {"kind": "epoch", "peer": peer, "epoch": epoch, "seconds": round(seconds, 6), "train": train, "test": test}
    print(json.dumps(record), flush=True)
