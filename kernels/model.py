#!/usr/bin/env python3
"""A model of the time of an epoch on an A100 and an H100: a lower bound, from what the emulator counts. No measurement.

usage: model.py BIN LIBRARY      the folder of vae-train and mnist-dump, and libcuda_interpreter.so

Trains a few steps of two networks on the emulator, and counts launches, instructions of PTX, products and sectors of memory.
Of each launch, the multiprocessor with the most blocks needs at least
    issue    its warp instructions, one a clock for each of four schedulers
    fma      its fma instructions, at the rate of the FP32 units
    mma      its products, at the peak of the tensor cores for dense matrices
and a launch in a graph follows the one before it after a gap. Memory is told beside it: all sectors, as if none were in a cache.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

# Multiprocessors, GHz, fma instructions of a warp that a multiprocessor takes in a clock, FLOP/s of dense tf32 and bf16, bytes/s.
# NVIDIA A100 and H100 Tensor Core GPU Architecture whitepapers: SXM, boost clock; A100 of 80 GB.
GPUS = {
    "A100": dict(sms=108, clock=1.41e9, fma=2, tf32=156e12, bf16=312e12, bandwidth=2.039e12),
    "H100": dict(sms=132, clock=1.83e9, fma=4, tf32=494.7e12, bf16=989.4e12, bandwidth=3.35e12),
}
# Seconds between the kernels of a graph: an assumption, of the order that NVIDIA's Technical Blog tells of a V100 ("Getting
# Started with CUDA Graphs", 2019). The first run on a GPU has to measure it.
GAP = 0.5e-6
# Batch, options, steps to count, images of an epoch.
NETWORKS = [(128, "--hidden 400 --latent 20", 5, 60_000), (8192, "--hidden 4096 --latent 20", 1, 60_000)]
PRECISIONS = ("fp32", "tf32", "bf16")
FLOP = {"tf32": 2 * 16 * 8 * 8, "bf16": 2 * 16 * 8 * 16}
# Those of an epoch, and not of a step.
BESIDE = {"count_nonfinite"}


def counts(binaries, library, batch, options, steps, precision):
    """By kernel, of a step: launches, blocks, warp instructions, fma, mma, sectors."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "libcuda.so.1").symlink_to(pathlib.Path(library).resolve())
        images, told = folder / "images.vae", folder / "counts"
        subprocess.run([f"{binaries}/mnist-dump", f"--synthetic={batch * steps}", "-o", images], check=True)
        command = [f"{binaries}/vae-train", *options.split(), "--batch", str(batch), "--epochs", "1", "--precision", precision]
        command += ["--device", "cuda", images, "-o", folder / "model.bin"]
        environment = os.environ | {"LD_LIBRARY_PATH": str(folder), "EMULATOR_COUNTS": str(told)}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        lines = [line.split() for line in told.read_text().splitlines()]
        return {name: [int(n) / steps for n in numbers] for name, *numbers in lines if name not in BESIDE}


def bound(gpu, kernels, precision):
    """Seconds of a step: issue slots or units, gaps, and memory without a cache; and launches."""
    busy, bytes_, launches = 0, 0, 0
    for launched, blocks, instructions, fma, mma, sectors in kernels.values():
        most = -(-blocks // launched // gpu["sms"]) if launched >= 1 else 1
        # Of all launches: those of the blocks of the busiest multiprocessor.
        share = launched * most / blocks
        busy += share * max(
            instructions / 4 / gpu["clock"],
            fma / gpu["fma"] / gpu["clock"],
            mma * FLOP.get(precision, 0) / (gpu.get(precision, 1) / gpu["sms"]),
        )
        launches += launched
        bytes_ += sectors * 32
    return busy, launches * GAP, bytes_ / gpu["bandwidth"], launches


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print("| network, batch, precision | GPU | launches a step | issue slots and units | gaps | memory, no cache | epoch at least |")
    print("|---|---|---|---|---|---|---|")
    for batch, options, steps, images in NETWORKS:
        for precision in PRECISIONS:
            kernels = counts(*sys.argv[1:], batch, options, steps, precision)
            for name, gpu in GPUS.items():
                busy, gaps, memory, launches = bound(gpu, kernels, precision)
                epoch = -(-images // batch) * (busy + gaps)
                cells = [f"{options}, {batch}, {precision}", name, f"{launches:.0f}"]
                cells += [f"{seconds * 1e6:,.0f} µs" for seconds in (busy, gaps, memory)]
                print("| " + " | ".join([*cells, f"{epoch * 1e3:,.0f} ms"]) + " |", flush=True)


if __name__ == "__main__":
    main()
