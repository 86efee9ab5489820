#!/usr/bin/env python3
"""Compile the PTX of the kernels for every GPU, with ptxas of CUDA 12.0 (the oldest driver) and the newest (PyPI).

usage: ptxas.py OLD NEW [--write]      folders of pip; --write: the table of RESULTS.md anew

Fails on a warning, on more spilled bytes than LIMIT, and on a tensor core instruction in code where the lanes of a warp may
have diverged, as nvdisasm shows it.
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
# The lowest target of each file.
FILES = {"ops": 75, "gemm": 75, "gemm_tensor_cores": 80}
# Those in the table: Turing, A100, H100, and the data centre and desktop GPUs of Blackwell. Of a multiprocessor: KiB of shared
# memory, KiB of it that each block takes beside its own, and threads (CUDA C++ Programming Guide, "Technical Specifications
# per Compute Capability").
SHOWN = {75: (64, 0, 1024), 80: (164, 1, 2048), 90: (228, 1, 2048), 100: (228, 1, 2048), 120: (100, 1, 1536)}
THREADS = 256
LIMIT = 64
START, END = "<!-- ptxas -->\n", "<!-- end of ptxas -->"


def tool(folder, name):
    found = sorted(pathlib.Path(folder).glob(f"nvidia/*/bin/{name}"))
    return found[0] if found else None


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def version(ptxas):
    return re.search(r"V([\d.]+)", run(ptxas, "--version").stdout)[1]


def targets(ptxas):
    """Compute capabilities from 7.5 on, without variants that only some GPUs of a generation take."""
    known = {int(n) for n in re.findall(r"'sm_(\d+)'", run(ptxas, "--help").stdout)}
    return sorted(n for n in known if n >= 75)


def blocks(target, registers, shared):
    """Blocks that a multiprocessor holds."""
    memory, reserved, threads = SHOWN[target]
    warps = THREADS // 32
    by_registers = 65536 // (-(-registers * 32 // 256) * 256 * warps)
    return min(by_registers, (memory << 10) // (shared + (reserved << 10) or 1), threads // THREADS)


def divergent(listing):
    """(all, those in divergent code) of the tensor core instructions: between BSSY and the label that it names."""
    every, inside, open_until = 0, 0, []
    for line in listing.splitlines():
        if line.startswith(".text."):
            open_until = []
        label = re.match(r"(\.L\w+):", line)
        if label:
            open_until = [other for other in open_until if other != label[1]]
        region = re.search(r"BSSY\S* \w+, `\((\.L\w+)\)", line)
        if region:
            open_until.append(region[1])
        if "HMMA" in line:
            every += 1
            inside += bool(open_until)
    return every, inside


def compile(ptxas, nvdisasm, name, target):
    """Kernels as (name, target, registers, spilled bytes, shared bytes); instructions of tensor cores; faults."""
    with tempfile.TemporaryDirectory() as folder:
        cubin = pathlib.Path(folder) / "cubin"
        output = run(ptxas, "-v", f"-arch=sm_{target}", HERE / "ptx" / f"{name}.ptx", "-o", cubin)
        faults, kernels, entry, spilled = [], [], None, 0
        for line in output.stderr.splitlines() + output.stdout.splitlines():
            if "warning" in line or "error" in line:
                faults.append(f"{name}, sm_{target}: {line}")
            if found := re.search(r"Compiling entry function '(\w+)'", line):
                entry = found[1]
            if found := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
                spilled = int(found[1])
            if found := re.search(r"Used (\d+) registers", line):
                shared = re.search(r"(\d+) bytes smem", line)
                kernels.append((entry, target, int(found[1]), spilled, int(shared[1]) if shared else 0))
                if spilled > LIMIT:
                    faults.append(f"{entry}, sm_{target}: expected at most {LIMIT} spilled bytes, got {spilled}")
        every, inside = 0, 0
        if output.returncode == 0 and name == "gemm_tensor_cores":
            every, inside = divergent(run(nvdisasm, "-c", cubin).stdout)
            if inside or not every:
                faults.append(f"{name}, sm_{target}: {inside} of {every} HMMA in divergent code")
        if output.returncode and not faults:
            faults.append(f"{name}, sm_{target}: ptxas fails: {output.stderr.strip()}")
        return kernels, every, faults


def table(results):
    """Registers, spills and blocks of each kernel by the newest compiler; and a line about each compiler."""
    lines = []
    for name, (kernels, products, compiled) in results.items():
        most = max(kernels, key=lambda kernel: kernel[3])
        lines.append(
            f"- ptxas {name}, sm_{compiled[0]} to sm_{compiled[-1]}: no warning; {products} of {products} HMMA outside divergent "
            f"code; {f'at most {most[3]} bytes spilled ({most[0]}, sm_{most[1]})' if most[3] else 'nothing is spilled'}."
        )
    newest = list(results.values())[-1][0]
    lines += ["", f"Registers a thread / blocks of a multiprocessor, by ptxas {list(results)[-1]}; + is bytes spilled.", ""]
    lines += ["| kernel | shared bytes | " + " | ".join(f"sm_{target}" for target in SHOWN) + " |", "|---" * (2 + len(SHOWN)) + "|"]
    for kernel in dict.fromkeys(entry for entry, *_ in newest):
        cells, memory = [], 0
        for target in SHOWN:
            found = [k for k in newest if k[:2] == (kernel, target)]
            for _, _, registers, spilled, shared in found:
                cells.append(f"{registers} / {blocks(target, registers, shared)}" + (f" +{spilled}" if spilled else ""))
                memory = max(memory, shared)
            if not found:
                cells.append("–")
        lines.append(f"| {kernel} | {memory} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    folders, write = [arg for arg in sys.argv[1:] if arg != "--write"], "--write" in sys.argv
    if len(folders) != 2:
        sys.exit(__doc__)
    nvdisasm = tool(folders[1], "nvdisasm")
    results, faults = {}, []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for folder in folders:
            ptxas = tool(folder, "ptxas")
            all_targets = targets(ptxas)
            work = [(name, target) for name, least in FILES.items() for target in all_targets if target >= least]
            done = list(pool.map(lambda item: compile(ptxas, nvdisasm, *item), work))
            results[version(ptxas)] = ([k for part in done for k in part[0]], sum(part[1] for part in done), all_targets)
            faults += [fault for part in done for fault in part[2]]
    if faults:
        sys.exit("ptxas.py: " + "\n".join(faults))
    text = table(results)
    print(text, end="")
    if write:
        file = HERE / "RESULTS.md"
        before, rest = file.read_text().split(START)
        file.write_text(before + START + text + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
