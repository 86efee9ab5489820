"""Writes this folder's .npy and .png files with torchvision itself.

Made with torch 2.15.0, torchvision 0.29.2, numpy 2.4.6, Python 3.11:  python3 make.py

Each line of cases.txt is a file's name and the arguments of grid-png that must give its pixels.
"""

import os
import shlex

import numpy as np
import torch
from torchvision.utils import save_image

CASES = """
one            --max 1 f32.npy
one-u8         --max 1 --padding 5 --pad-value 1 u8.npy
one-normal     --max 1 --normalize f32.npy
three          --max 3 f32.npy
eight          --max 8 u8.npy
nine           --max 9 f32.npy
nine-u8        --max 9 u8.npy
twenty         f32.npy
bare           --padding 0 f32.npy
wide           --padding 5 --pad-value 0.5 u8.npy
white          --pad-value 1 f32.npy
column         --max 3 --nrow 1 f32.npy
five           --nrow 5 --padding 5 f32.npy
row            --nrow 100 --pad-value 0.7 u8.npy
normal         --normalize f32.npy
normal-u8      --normalize --max 9 u8.npy
normal-pad     --normalize --pad-value 0.5 --nrow 5 f32.npy
range          --normalize --range 0.2,0.9 f32.npy
range-u8       --normalize --range 0.1,0.7 --max 9 u8.npy
range-narrow   --normalize --range 0.25,0.250004 f32.npy
range-below    --normalize --range -1,1 f32.npy
each           --normalize --scale-each f32.npy
each-u8        --normalize --scale-each --max 9 u8.npy
each-range     --normalize --scale-each --range -0.1,1.1 f32.npy
flat           --normalize flat.npy
flat-each      --normalize --scale-each --pad-value 1 flat.npy
levels         levels.npy
halves         halves.npy
"""


def images(values, n):
    return values.reshape(n, 5, 4)  # height 5, width 4: a transposed image is noticed


random = np.random.default_rng(0)
INPUTS = {
    "f32.npy": images(random.uniform(-0.25, 1.25, 400).astype(np.float32), 20),
    "u8.npy": images(random.integers(0, 256, 400).astype(np.uint8), 20),
    "flat.npy": np.full((3, 5, 4), 0.25, np.float32),
    # All levels of a byte, and the values where rounding changes from one to the next.
    "levels.npy": images(np.arange(260).astype(np.uint8), 13),
    "halves.npy": images(((np.arange(260) - 0.5) / 255).astype(np.float32), 13),
}


def torchvision(arguments, path):
    *options, name = shlex.split(arguments)
    known = {"nrow": 8, "padding": 2, "pad_value": 0.0, "normalize": False, "value_range": None, "scale_each": False}
    most = 64
    while options:
        option = options.pop(0)
        if option in ("--normalize", "--scale-each"):
            known[option[2:].replace("-", "_")] = True
        elif option == "--range":
            known["value_range"] = tuple(float(v) for v in options.pop(0).split(","))
        elif option == "--pad-value":
            known["pad_value"] = float(options.pop(0))
        elif option == "--max":
            most = int(options.pop(0))
        else:
            known[option[2:]] = int(options.pop(0))
    array = INPUTS[name][:most]
    tensor = torch.from_numpy(array)
    if array.dtype == np.uint8:
        tensor = tensor.to(torch.float32).div(255)  # as torchvision's to_tensor does
    save_image(tensor.unsqueeze(1), path, **known)


os.chdir(os.path.dirname(os.path.abspath(__file__)))
for name, array in INPUTS.items():
    np.save(name, array)
with open("cases.txt", "w") as cases:
    for line in CASES.strip().splitlines():
        name, arguments = line.split(maxsplit=1)
        torchvision(arguments, f"{name}.png")
        cases.write(f"{name} {arguments}\n")
