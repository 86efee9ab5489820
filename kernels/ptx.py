#!/usr/bin/env python3
"""Compile the kernels to PTX, in kernels/ptx, with NVRTC (PyPI: nvidia-cuda-nvrtc-cu12).

usage: ptx.py [--check]      --check: write nothing; exit 1 if a file is stale
"""
import ctypes
import pathlib
import sys

import nvidia.cuda_nvrtc

HERE = pathlib.Path(__file__).parent
# Compute capability: f32 from Turing on; tensor cores with tf32 and bf16 from Ampere on.
TARGETS = {"ops": "compute_75", "gemm": "compute_75", "gemm_tensor_cores": "compute_80"}
# No contraction to fused multiply-adds but the source's own: bit-identical to the CPU.
OPTIONS = ["--std=c++17", "--fmad=false", f"-I{HERE}"]


def compile(nvrtc, name, target):
    def text(size, get):
        length = ctypes.c_size_t()
        size(program, ctypes.byref(length))
        buffer = ctypes.create_string_buffer(length.value)
        get(program, buffer)
        return buffer.value.decode()

    program = ctypes.c_void_p()
    source = (HERE / f"{name}.cu").read_bytes()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, f"{name}.cu".encode(), 0, None, None)
    options = [option.encode() for option in [*OPTIONS, f"--gpu-architecture={target}"]]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog).strip()
    if failed:
        sys.exit(f"ptx.py: {name}.cu does not compile:\n{log}")
    if log:
        print(log, file=sys.stderr)
    return text(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)


def same(one, other):
    """Equality up to the order of lines, which NVRTC does not keep from run to run."""
    return sorted(one.splitlines()) == sorted(other.splitlines())


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    folder = pathlib.Path(nvidia.cuda_nvrtc.__path__[0]) / "lib"
    nvrtc = ctypes.CDLL(str(next(folder.glob("libnvrtc.so.*"))))
    stale = []
    for name, target in TARGETS.items():
        file = HERE / "ptx" / f"{name}.ptx"
        ptx = compile(nvrtc, name, target)
        if file.exists() and same(file.read_text(), ptx):
            continue
        if check:
            stale.append(file.name)
        else:
            file.write_text(ptx)
    if stale:
        sys.exit(f"ptx.py: {', '.join(stale)}: stale, expected the PTX of the source; run make kernels")


if __name__ == "__main__":
    main()
