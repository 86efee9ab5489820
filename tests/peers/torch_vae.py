#!/usr/bin/env python3
"""PyTorch training the same network on the same images: what `make bench` and `make gpu-check` measure vae-train against.

The images are held on the device in one tensor and gathered by index within the step: no loader slows it down. On a CPU
they are float32, and numbers below 1e-38 count as zero, which helps it a little; on a GPU they are bytes. Adam is PyTorch's
fused one; keeping the channels of convolutions last does not help. Every image is seen in every epoch, the last batch
being the rest. --precision bf16 trains under torch.autocast, and evaluates in float32. What --mode needs before the first
epoch is not counted. Needs torch and numpy.
"""
import time

import numpy as np
import peer
import torch
import torch.nn.functional as F
import torch_models
import torch_modes

parser = peer.options(__doc__)
parser.add_argument("--preset", choices=torch_models.PRESETS, help="a network by name, instead of --hidden and --latent")
parser.add_argument("--labels", nargs=2, metavar=("TRAIN", "TEST"), help="uint8 [N], .npy, for cvae-prior")
parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
parser.add_argument("--mode", choices=torch_modes.MODES, default="eager", help=torch_modes.__doc__.split("\n")[0])
parser.add_argument("--tf32", action="store_true", help="products of tf32, on a GPU")
args = parser.parse_args()
device = torch.device(args.device)
on_gpu = device.type == "cuda"
if args.mode == "graph" and not on_gpu:
    parser.error("--mode graph needs --device cuda")
torch.manual_seed(args.seed)
torch.set_flush_denormal(True)
if args.tf32:
    torch.set_float32_matmul_precision("high")
if args.threads:
    torch.set_num_threads(args.threads)

if args.preset:
    model = torch_models.PRESETS[args.preset]()
else:
    model = torch_models.mlp(args.hidden, args.latent, activation=args.activation, samples=args.samples)
model.to(device)


def load(path):
    """Images [N, D]: bytes on a GPU, and float32 on a CPU."""
    images = np.load(path).reshape(-1, torch_models.PIXELS) if on_gpu else peer.images(path)
    return torch.from_numpy(images).to(device)


train, test = [load(args.train)], [load(args.test)]
if model.classes:
    for data, path in zip((train, test), args.labels or parser.error(f"{args.preset} needs --labels")):
        data.append(F.one_hot(torch.from_numpy(peer.labels(path)), model.classes).float().to(device))


def losses(tensors):
    """Reconstruction and KL of some images, and their labels if need be, each summed."""
    images, *labels = tensors
    return model.losses(images / 255.0 if on_gpu else images, *labels)


def gathered(at):
    """The loss of the training images of these numbers, summed."""
    with torch.autocast(device.type, torch.bfloat16, enabled=args.precision == "bf16"):
        recon, kl = losses([tensor[at] for tensor in train])
    return recon + kl


@torch.no_grad()
def evaluate():
    """Losses on the test images, means over them."""
    batches = zip(*[tensor.split(500) for tensor in test])
    recon, kl = (sum(parts).item() / len(test[0]) for parts in zip(*[losses(batch) for batch in batches]))
    means = {"loss": recon + kl, "recon": recon, "kl": kl}
    if model.reconstruction is torch_models.squared_error:
        means["mse"] = recon / torch_models.PIXELS
    return means


optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, fused=True, capturable=on_gpu)
train_epoch = torch_modes.MODES[args.mode](model, optimizer, gathered, len(train[0]), args.batch, device)
name = " ".join(["PyTorch", torch.__version__, *([args.mode] if on_gpu or args.mode != "eager" else [])])
for epoch in range(1, args.epochs + 1):
    begun = time.perf_counter()
    loss = train_epoch()
    seconds = time.perf_counter() - begun
    peer.report(name, epoch, seconds, {"loss": loss}, evaluate())
