#!/usr/bin/env python3
"""PyTorch training the same network on the same images: what `make bench` measures vae-train against.

The images are held as float32 in one tensor and gathered by index: no loader slows it down. Adam is PyTorch's fused one,
and numbers below 1e-38 count as zero, which helps it a little; keeping the channels of convolutions last does not. Every
image is seen in every epoch, the last batch being the rest. Needs torch and numpy.
"""
import time

import peer
import torch
import torch.nn.functional as F
import torch_models

parser = peer.options(__doc__)
parser.add_argument("--preset", choices=torch_models.PRESETS, help="a network by name, instead of --hidden and --latent")
parser.add_argument("--labels", nargs=2, metavar=("TRAIN", "TEST"), help="uint8 [N], .npy, for cvae-prior")
args = parser.parse_args()
torch.manual_seed(args.seed)
torch.set_flush_denormal(True)
if args.threads:
    torch.set_num_threads(args.threads)

model = torch_models.PRESETS[args.preset]() if args.preset else torch_models.mlp(args.hidden, args.latent)
train, test = ([torch.from_numpy(peer.images(path))] for path in (args.train, args.test))
if model.classes:
    for data, path in zip((train, test), args.labels or parser.error(f"{args.preset} needs --labels")):
        data.append(F.one_hot(torch.from_numpy(peer.labels(path)), model.classes).float())


def train_epoch():
    """The loss, a mean over images."""
    total = torch.zeros(())
    for at in torch.randperm(len(train[0])).split(args.batch):
        optimizer.zero_grad()
        recon, kl = model.losses(*[tensor[at] for tensor in train])
        loss = (recon + kl) / len(at)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(at)
    return total.item() / len(train[0])


@torch.no_grad()
def evaluate():
    """Losses on the test images, means over them."""
    batches = zip(*[tensor.split(500) for tensor in test])
    recon, kl = (sum(parts).item() / len(test[0]) for parts in zip(*[model.losses(*batch) for batch in batches]))
    losses = {"loss": recon + kl, "recon": recon, "kl": kl}
    if model.reconstruction is torch_models.squared_error:
        losses["mse"] = recon / torch_models.PIXELS
    return losses


optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, fused=True)
for epoch in range(1, args.epochs + 1):
    begun = time.perf_counter()
    loss = train_epoch()
    seconds = time.perf_counter() - begun
    peer.report(f"PyTorch {torch.__version__}", epoch, seconds, {"loss": loss}, evaluate())
