#!/usr/bin/env python3
"""Makes fuzz/corpus (good inputs, from our own programs and NumPy) and fuzz/attacks (files that lie) anew.

Usage: make build && PATH=$PWD/target/release:$PATH python3 fuzz/make.py
Needs NumPy, safetensors and Pillow. What the fuzzer has found, corpus/*/found-*, stays.
"""

import gzip
import io
import json
import os
import struct
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import safetensors.numpy
from PIL import Image

HERE = Path(__file__).resolve().parent
HUGE = 1 << 60


def write(folder, files):
    """Replaces the files of a folder, but not what was found."""
    folder = HERE / folder
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if not old.name.startswith("found-"):
            old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def run(line, stdin=b""):
    """What a command line writes."""
    return subprocess.run(["bash", "-c", "set -o pipefail; " + line], input=stdin, capture_output=True, check=True).stdout


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version=version, allow_pickle=False)
    return file.getvalue()


def npy_text(text, data=b"", version=1):
    """A .npy with any text as its header."""
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


def npy_header(descr, shape, order="False"):
    return npy_text(f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}".ljust(117) + "\n")


def sealed(*parts):
    """A stream of lines, which get their checksum here, and payloads."""
    stream = b""
    for part in parts:
        if isinstance(part, dict):
            stream += json.dumps(part, separators=(",", ":")).encode()[:-1]
            stream += b',"crc32":"%08x"}\n' % zlib.crc32(stream)
        elif isinstance(part, str):
            stream += part.encode()
            stream += b',"crc32":"%08x"}\n' % zlib.crc32(stream)
        else:
            stream += part
    return stream


def head(**tensors):
    return {"vae": 1, "type": "head", "tensors": {name: {"dtype": d, "shape": s} for name, (d, s) in tensors.items()}}


def data(*tensors, **keys):
    list_ = [{"name": n, "dtype": d, "shape": s, "nbytes": b} for n, d, s, b in tensors]
    return {"type": "data", "tensors": list_, **keys}


END = {"type": "end", "frames": 1, "items": 1}


def idx(shape, pixels, kind=8, dimensions=None):
    return bytes([0, 0, kind, dimensions or len(shape)]) + b"".join(struct.pack(">I", n) for n in shape) + pixels


def zipped(content):
    return gzip.compress(content, mtime=0)


def nested(depth):
    return '{"z":' + "[" * depth + "1" + "]" * depth + "}\n"


def safetensors_file(header, content=b""):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + content


def safetensors_tensor(shape, offsets, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def npz(entries, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def picture(mode, format, size=(8, 8), **options):
    file = io.BytesIO()
    Image.effect_noise(size, 64).convert("RGB").convert(mode).save(file, format, **options)
    return file.getvalue()


def tar(files, format=tarfile.GNU_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def pictures():
    exif = Image.Exif()
    exif[0x112] = 6
    png = picture("L", "PNG", (2, 2))
    write("corpus/pictures", {
        **{f"{mode.replace(';', '')}.png": picture(mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
        **{f"{mode}.jpg": picture(mode, "JPEG") for mode in ("L", "RGB", "CMYK")},
        "progressive.jpg": picture("RGB", "JPEG", progressive=True),
        "turned.jpg": picture("RGB", "JPEG", exif=exif, icc_profile=b"profile"),
        "lossy.webp": picture("RGB", "WEBP"),
        "lossless.webp": picture("RGBA", "WEBP", lossless=True),
        **{f"{mode}.bmp": picture(mode, "BMP") for mode in ("1", "P", "RGB")},
        "plain.tif": picture("RGB", "TIFF"),
        "packed.tif": picture("L", "TIFF", compression="tiff_lzw"),
        "gnu.tar": tar({"a/1.png": png, "b/" + "2" * 120 + ".png": png}),
        "pax.tar": tar({"a/1.png": png, "b/" + "2" * 120 + ".png": png}, tarfile.PAX_FORMAT),
        "cifar-10": bytes([9]) + bytes(3072),
        "cifar-100": bytes([19, 99]) + bytes(3072),
    })
    bomb = bytearray(png)
    bomb[16:24] = struct.pack(">II", 60000, 60000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    jpeg, bmp, archive = picture("RGB", "JPEG"), picture("RGB", "BMP"), tar({"a.png": png})
    frame = jpeg.index(b"\xff\xc0")
    write("attacks/picture", {
        "bomb.png": bytes(bomb),
        "bomb.jpg": jpeg[:frame + 5] + struct.pack(">HH", 65535, 65535) + jpeg[frame + 9:],
        "bomb.bmp": bmp[:18] + struct.pack("<II", 60000, 60000) + bmp[26:],
        "cut.png": png[:-20],
        "cut.jpg": jpeg[:-2],
        "cut.tar": archive[:1024],
        "false-size.tar": archive[:124] + b"77777777777" + archive[135:],
        "2^63-bytes.tar": archive[:124] + b"\x80\0\0\0\x7f" + b"\xff" * 7 + archive[136:],
        "path.tar": tar({"../../a.png": b"no picture"}),
    })


def corpus():
    images = (np.arange(96).reshape(6, 4, 4) * 2).astype("u1")
    x = npy(images)
    labelled = "".join(json.dumps({"x": x.tolist(), "y": n % 3}) + "\n" for n, x in enumerate(images)).encode()
    models, logs = {}, {}
    for name, options in {
        "mlp": "--hidden 3",
        "conv": "--conv 2",
        "classes": "--hidden 2 --classes 3 --prior 2",
        "sigma": "--hidden 2 --likelihood gaussian --sigma learned",
        "code": "--hidden 2 --autoencoder=relu",
        "pca": "--preset pca-20",
    }.items():
        fitted = name == "pca"
        options += " --latent 2" if fitted else " --latent 2 --epochs 2 --batch 3 --checkpoint {epoch}"
        run_in = f"cd $(mktemp -d); trap 'rm -r $PWD' EXIT; vae-train {options} --preview 2 -o model > log"
        models[name] = run(f"{run_in}; cat model", labelled)
        logs[name] = run(f"{run_in}; cat log", labelled)
        if not fitted:
            models[f"{name}-checkpoint"] = run(f"{run_in}; cat 1", labelled)
    record = '{"kind":"epoch","epoch":%s,"epochs":3,"train":{"loss":105.5,"recon":90,"kl":15.5},"test":{"loss":"NaN"}}\n'
    logs |= {
        "plain": "".join(record % n for n in (1, 2, 3)),
        "unfinished": record % 1 + '{"kind":"epo',
        "far-epochs": "".join(record % n for n in (0, 1 << 63, (1 << 64) - 1, 5)),
        "other": '{"kind":"run","network":[]}\n\n{"kind":7}\n{}\n',
    }

    tmp = "d=$(mktemp -d); trap 'rm -r $d' EXIT; cat > $d/m; "
    mlp = models["mlp"]
    streams = {
        "images": run("vae-cat -", x),
        "latents": run(tmp + "printf '%s' '{\"x\":[[1,2,3,4],[1,2,3,4],[5,6,7,8],[1,2,3,4]],\"i\":7,\"y\":1}' "
                       "| vae-encode -m $d/m --embed-model --keep x", mlp),
        "draws": run(tmp + "vae-sample -m $d/m -n 3 --embed-model | vae-decode", mlp),
        "training": logs["classes"],
        "joined": run("vae-cat -", x) * 2,
        "failed": run("vae-cat -", x)[:-60],
        "note": sealed(head(), {"type": "json", "kind": "note", "text": "h\u00e9llo\n", "n": [1e300, -0.0, 1 << 63]},
                       {"type": "end", "frames": 1, "items": 0}),
        "group": sealed(head(), data(("a.b", "<f2", [1, 2], 132), group="recon", epoch=3, later=None),
                        npy(np.ones((1, 2), "<f2")), {"type": "end", "frames": 1, "items": 0}),
        "error": sealed(head(), {"type": "error", "origin": "vae-train", "message": "no\tgood"}),
    }
    lines = {
        "z": '{"z":[0.5,-1.0],"y":3}\n{"z":[1,2],"y":4}\n',
        "x": '{"x":[[0,255],[7,3]],"i":-5}\n\n{"x":[[0,255],[7,3]],"i":9007199254740993}',
        "text": '{"a":"NaN","b":["inf","-inf"],"c":1e-45,"d":16777216}\n',
        "deep": nested(20),
        "bad": '{"z":[1]}\n{"z":[1,2]}\n',
    }
    array = np.arange(12).reshape(3, 4)
    arrays = {f"{d[1:]}-{'big' if d[0] == '>' else 'little'}": npy(array.astype(d))
              for d in "|b1 |i1 |u1 <i2 >u2 <f2 >i4 <u4 <f4 >f4 <i8 >u8 <f8".split()}
    arrays |= {
        "fortran": npy(np.asfortranarray(array.astype(">f8"))),
        "version-2": npy(array.astype("<f4"), (2, 0)),
        "version-3": npy(array.astype("<f4"), (3, 0)),
        "empty": npy(np.zeros((0, 3), "<f4")),
        "number": npy(np.float32(3)),
        "joined": npy(array.astype("u1")) + npy(array.astype("u1")),
        "structured": npy(np.zeros(2, [("a", "<f4")])),
        "many-dimensions": npy(np.zeros((1,) * 32, "u1")),
    }
    dicts = {f"{name}.safetensors": run(tmp + "vae-model export $d/m -o $d/e.safetensors; cat $d/e.safetensors", content)
             for name, content in models.items() if "-" not in name}
    weights = safetensors.numpy.load(dicts["mlp.safetensors"])
    for name, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
        file = io.BytesIO()
        save(file, **{key: value.astype("<f2") for key, value in weights.items()})
        dicts[f"{name}.npz"] = file.getvalue()
    names = {"encoder.0": "module.fc1", "mu": "module.fc21", "logvar": "module.fc22", "decoder.0": "module.fc3",
             "decoder.2": "module.fc4"}
    renamed = {names[k.rsplit(".", 1)[0]] + "." + k.rsplit(".", 1)[1]: v.astype("<f8") for k, v in weights.items()}
    dicts["named.safetensors"] = safetensors.numpy.save(renamed)

    raw = idx([3, 4, 5], bytes(range(60)))
    files = {"raw": raw, "gzip": zipped(raw), "members": zipped(raw[:30]) + zipped(raw[30:]), "labels": idx([3], b"\1\2\3"),
             "labels-gzip": zipped(idx([3], b"\1\2\3")), "short": raw[:-1], "long": raw + b"\0", "none": idx([0, 4, 5], b""),
             "floats": idx([1], b"\0" * 4, kind=13)}
    texts = {"epoch": "epoch {epoch:03} loss {loss:.2f} {{}}\n" + record % 7, "file": "out/{group}-{epoch:03}.png",
             "wide": "{train.loss:099.99f}{epoch:99d}\n" + record % 1, "open": "a {epoch", "close": "a } b",
             "text": "{name:20}|{test.loss:08}|{later}\n" + (record % 1).replace('"epochs":3', '"epochs":3,"name":"a","later":1e308')}
    for target, content in {
        "stream": streams, "round_trip": streams | {f"lines-{k}": v for k, v in lines.items()}, "jsonl": lines, "npy": arrays,
        "numpy": arrays, "model": models, "import": dicts, "idx": files, "logs": logs, "templates": texts,
        "amat": {"four": "0 1 1 0\n1 1 0 0\n", "nine": "0 0 0 1 1 1 0 0 1", "five": "0 1 1 0 1\n", "two": "0 2\n", "none": "\n"},
    }.items():
        write(f"corpus/{target}", content)


def attacks():
    u1 = head(x=("|u1", [28, 28]))
    array = npy(np.zeros((1, 28, 28), "u1"))
    good = data(("x", "|u1", [1, 28, 28], len(array)))
    write("attacks/npy", {
        "2^60-elements": npy_header("<f4", f"{HUGE},"),
        "2^60-items": npy_header("|u1", f"{HUGE}, 28, 28"),
        "overflow": npy_header("<f8", f"{1 << 40}, {1 << 40}, 4"),
        "overflow-behind-zero": npy_header("|u1", f"0, {1 << 40}, {1 << 40}"),
        "2^64-elements": npy_header("|u1", f"{1 << 64},"),
        "one-huge-item": npy_header("|u1", f"1, {1 << 30}, {1 << 30}"),
        "huge-fortran": npy_header("|u1", f"{HUGE}, 4", "True"),
        "negative": npy_header("|u1", "-1, 28, 28"),
        "2^32-of-header": b"\x93NUMPY\2\0\xff\xff\xff\xff{",
        "nested-shape": npy_text("{'descr': '|u1', 'fortran_order': False, 'shape': " + "(" * 5000 + ")" * 3000 + "}\n"),
        "65-dimensions": npy_header("|u1", "1, " * 65) + b"\0",
        "pickle": npy_header("|O", "1,") + b"\x80\4\x95",
        "twice": npy_text("{'descr': '|u1', 'descr': '<f8', 'fortran_order': False, 'shape': (1, 28, 28), }\n", b"\0" * 784),
        "zero-wide": npy_header("|u1", "5, 0, 28"),
        "version-9": b"\x93NUMPY\x09\0\x10\0" + b" " * 16,
        "second-is-cut": array + array[:100],
        "second-is-another": array + npy(np.zeros((1, 28, 27), "u1")),
    })
    deep = json.loads("[" * 100 + "]" * 100)
    write("attacks/stream", {
        "2^60-of-payload": sealed(u1, data(("x", "|u1", [1, 28, 28], HUGE)), array),
        "all-memory": sealed(head(x=("|u1", [1 << 31, 1 << 31])), data(("x", "|u1", [1, 1 << 31, 1 << 31], HUGE))),
        "overflow": sealed(head(x=("<f8", [1 << 40, 1 << 40])), data(("x", "<f8", [1, 1 << 40, 1 << 40], 128))),
        "largest-frame": sealed(head(x=("|u1", [1024, 1048575])), data(("x", "|u1", [1, 1024, 1048575], 1073740928))),
        "sum-of-payloads": sealed(head(), data(*((f"t{i}", "|u1", [1], (1 << 63) + 8) for i in range(3)), group="g")),
        "payload-of-nothing": sealed(u1, data(("x", "|u1", [1, 28, 28], 0)), END),
        "another-payload": sealed(u1, good, npy_header("|u1", f"1, 28, {HUGE}") + bytes(784), END),
        "path-as-name": sealed({"vae": 1, "type": "head", "tensors": {"../../x": {"dtype": "|u1", "shape": [28, 28]}}}),
        "path-as-group": sealed(u1, {**good, "group": "../x"}, array, END),
        "twice": sealed(u1, data(("x", "|u1", [1, 28, 28], 912), ("x", "|u1", [1, 28, 28], 912)), array, array, END),
        "no-tensors": sealed(u1, {"type": "data", "tensors": []}, END),
        "no-items": sealed(u1, data(("x", "|u1", [0, 28, 28], 128)), END),
        "undeclared": sealed(head(), good, array, END),
        "counts": sealed(u1, good, array, {"type": "end", "frames": (1 << 64) - 1, "items": -1}),
        "no-end": sealed(u1, good, array),
        "only-head": sealed(u1),
        "version": sealed({**u1, "vae": (1 << 64) - 1}),
        "number-beyond-double": sealed('{"vae":1,"type":"head","tensors":{},"n":1e999'),
        "negative-epoch": sealed(u1, {**good, "epoch": -1}, array, END),
        "no-such-type": sealed(u1, {"type": "exec"}, END),
        "no-such-dtype": sealed(head(x=("|O", [28, 28]))),
        "second-head": sealed(u1, u1, END),
        "deep-head": sealed({**u1, "later": deep}, {"type": "end", "frames": 0, "items": "0"}),
        "bottomless": sealed('{"vae":1,"type":"head","tensors":{},"later":' + "[" * 5000 + "]" * 5000),
        "not-utf-8": sealed(u1) + b'{"type":"json","a":"\xff","crc32":"00000000"}\n',
        "escapes": sealed(u1, {"type": "error", "origin": "\x1b]0;a\x07", "message": "\x1b[2J\n\0" + "m" * 9000}),
        "false-model": sealed({**u1, "model": {"sha256": "0" * 64, "embedded": True}},
                              data(("model", "|u1", [4], 132), group="model"), npy(np.zeros(4, "u1")), good, array, END),
    })
    write("attacks/jsonl", {
        **{f"nested-{depth}": nested(depth) for depth in (64, 65, 100, 126, 127, 128, 5000)},
        "open": '{"z":' + "[" * 5000,
        "beyond-double": '{"x":[[1e999]]}\n',
        "beyond-float": '{"x":[[1e39]]}\n',
        "integer-that-f32-lacks": '{"z":[16777217]}\n',
        "empty": '{"x":[[]]}\n',
        "no-numbers": '{"x":{"a":1}}\n',
        "ragged": '{"x":[[1,2],[3]]}\n',
        "changes": '{"x":[[1,2]]}\n{"x":[[1,2,3]]}\n',
        "path-as-name": '{"../x":1}\n',
        "empty-name": '{"":1}\n',
        "label": '{"x":[[1,2]],"y":1e300}\n',
        "not-utf-8": b'{"x":"\xff"}\n',
        "cut": '{"x":[[1,2],[3',
    })
    write("attacks/log", {
        "no-epochs": '{"kind":"run"}\n',
        "beyond-double": '{"kind":"epoch","epoch":1,"train":{"loss":1e999}}\n',
        "negative": '{"kind":"epoch","epoch":-1,"train":{"loss":1}}\n',
        "text": '{"kind":"epoch","epoch":"1"}\n',
        "nothing-finite": '{"kind":"epoch","epoch":1,"train":{"loss":"NaN"}}\n',
        "deep": '{"kind":"epoch","epoch":1,"later":' + "[" * 5000 + "\n\n",
        "list": "[1]\n",
        "false-checksum": sealed(u1, {"type": "json", "kind": "epoch", "epoch": 1})[:-10] + b"00000000\"}\n",
    })
    write("attacks/idx", {
        "2^32-images": idx([(1 << 32) - 1, 1 << 14, 1 << 12], bytes(100)),
        "2^32-images.gz": zipped(idx([(1 << 32) - 1, 1 << 14, 1 << 12], bytes(100))),
        "overflow": idx([(1 << 32) - 1] * 3, b""),
        "overflow.gz": zipped(idx([(1 << 32) - 1] * 3, b"")),
        "255-dimensions": idx([(1 << 32) - 1] * 255, b""),
        "header-is-cut": bytes([0, 0, 8, 255]) + b"\xff" * 10,
        "no-dimensions": idx([], b"\0"),
        "no-pixels": idx([5, 0, 28], b""),
        "no-such-type": idx([1, 2, 2], bytes(16), kind=15),
        "bomb.gz": zipped(idx([3, 4, 5], bytes(64 << 20))),
        "bomb-in-gzip.gz": zipped(zipped(idx([3, 4, 5], bytes(1 << 20)))),
        "false-checksum.gz": zipped(idx([3, 4, 5], bytes(60)))[:-8] + bytes(8),
        "gzip-is-cut.gz": zipped(idx([3, 4, 5], bytes(60)))[:-9],
        "gzip-of-nothing.gz": zipped(b""),
        "name-without-end.gz": b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 5000,
    })
    write("attacks/amat", {
        "no-square.amat": "0 1 1 0 1 1 0\n",
        "ragged.amat": "0 1 1 0\n0 1 1 0 1\n",
        "letters.amat": "0 a 1 0\n",
        "binary.amat": bytes(range(256)),
        "spaces.amat": " " * 5000 + "\n",
        "one-word.amat": "1" * 5000,
    })
    spec = {"vae_model": 1, "network": {"kind": "mlp", "image": [28, 28], "hidden": [400], "latent": 20},
            "objective": {"likelihood": "bernoulli", "beta": 1.0, "samples": 1, "kl_warmup": 0.0},
            "data": {"range": [0, 1], "images": 0, "sha256": ""},
            "training": {"lr": 0.001, "batch": 1, "seed": 0, "epochs": 1, "steps": 0}, "tool": "attack"}

    def model(tensors=None, content=b"", **changes):
        """A model of these tensors, whose digest is right."""
        import hashlib
        text = json.dumps({**spec, **changes})[:-1]
        digest = hashlib.sha256(text.encode())
        for name, tensor in sorted((tensors or {}).items()):
            start, end = tensor["data_offsets"]
            digest.update(name.encode() + b"\0F32\0" + b"".join(struct.pack("<Q", n) for n in tensor["shape"]))
            digest.update(content[start:end])
        vae = f'{text},"sha256":"{digest.hexdigest()}"}}'
        return safetensors_file({"__metadata__": {"vae": vae}, **(tensors or {})}, content)

    def network(**changes):
        return model(network={**spec["network"], **changes})

    write("attacks/model", {
        "2^60-weights": safetensors_file({"w": safetensors_tensor([HUGE], [0, HUGE * 4])}),
        "2^60-of-header": struct.pack("<Q", HUGE) + b"{",
        "header-of-nothing": struct.pack("<Q", 0),
        "overlap": safetensors_file({"a": safetensors_tensor([2], [0, 8]), "b": safetensors_tensor([2], [4, 12])}, bytes(12)),
        "offsets-backwards": safetensors_file({"a": safetensors_tensor([1], [8, 4])}, bytes(8)),
        "hole": safetensors_file({"a": safetensors_tensor([1], [4, 8])}, bytes(8)),
        "overflow": safetensors_file({"a": safetensors_tensor([1 << 62, 4], [0, 0])}),
        "no-model": safetensors_file({"a": safetensors_tensor([1], [0, 4])}, bytes(4)),
        "no-digest": safetensors_file({"__metadata__": {"vae": json.dumps(spec)}}),
        "false-digest": model().replace(b'"sha256\\":\\"', b'"sha256\\":\\"0', 1),
        "no-weights": model(),
        "version": model(vae_model=(1 << 32) - 1),
        "no-network": model(network={}),
        "huge-latent": network(latent=1 << 63),
        "huge-layers": network(hidden=[65536] * 1000),
        "huge-image": network(image=[65536, 65536]),
        "no-pixels": network(image=[0, 28]),
        "2^64-channels": network(image=[28, 28, (1 << 64) - 1]),
        "no-layers": network(hidden=[0]),
        "convolutions": network(kind="conv", hidden=[65535] * 9),
        "many-convolutions": network(kind="conv", hidden=[1] * 5000),
        "samples": model(objective={**spec["objective"], "samples": 1 << 62}),
        "nan-beta": model(objective={**spec["objective"], "beta": -1}),
        "epoch-0": model(checkpoint={"epoch": 0, "at": 0}),
        "far-checkpoint": model(checkpoint={"epoch": 1, "at": (1 << 64) - 1}),
        "many-steps": model(training={**spec["training"], "steps": (1 << 64) - 1}, checkpoint={"epoch": 1, "at": 0}),
        "deep": safetensors_file({"__metadata__": {"vae": "[" * 5000}}),
        "deep-header": safetensors_file(b'{"a":' + b"[" * 5000),
    })
    weight = npy(np.zeros((2, 2), "<f4"))
    write("attacks/state_dict", {
        **{f"{name}.safetensors": safetensors_file(*content) for name, content in {
            "overlap": ({"mu.weight": safetensors_tensor([2], [0, 8]), "mu.bias": safetensors_tensor([2], [4, 12])}, bytes(12)),
            "2^60-weights": ({"mu.weight": safetensors_tensor([HUGE], [0, HUGE * 4])},),
            "overflow": ({"mu.weight": safetensors_tensor([1 << 32, 1 << 32], [0, 0])},),
            "no-tensors": ({},),
            "empty-tensor": ({"mu.weight": safetensors_tensor([0, 1 << 60], [0, 0])},),
            "integers": ({"mu.weight": safetensors_tensor([1], [0, 8], "I64")}, bytes(8)),
            "four-bits": ({"mu.weight": safetensors_tensor([2], [0, 1], "F4")}, bytes(1)),
            "nan": ({"mu.weight": safetensors_tensor([1, 1], [0, 4])}, b"\xff" * 4),
            "conv-of-0-channels": ({"encoder.0.weight": safetensors_tensor([0, 1, 5, 5], [0, 0]),
                                    "mu.weight": safetensors_tensor([1, 1], [0, 4]),
                                    "decoder.0.weight": safetensors_tensor([1, 1], [4, 8])}, bytes(8)),
            "layer-2^64": ({"encoder.18446744073709551615.weight": safetensors_tensor([1, 1], [0, 4])}, bytes(4)),
            "prefixes": ({"module." * 2000 + "mu.weight": safetensors_tensor([1, 1], [0, 4])}, bytes(4)),
        }.items()},
        "bomb.npz": npz([("mu.weight.npy", npy_header("<f4", f"{1 << 14}, {1 << 10}") + bytes(64 << 20))], zipfile.ZIP_DEFLATED),
        "2^60-elements.npz": npz([("mu.weight.npy", npy_header("<f4", f"{HUGE},"))]),
        "path.npz": npz([("../../mu.weight.npy", weight)]),
        "pickle.npz": npz([("data.pkl", b"\x80\2}q\0.")]),
        "no-npy.npz": npz([("a.txt", b"a")]),
        "twice.npz": npz([("a.npy", weight)]) + npz([("b.npy", weight)]),
        "false-size.npz": npz([("a.npy", weight)]).replace(struct.pack("<I", len(weight)), struct.pack("<I", (1 << 32) - 1)),
        "false-checksum.npz": npz([("a.npy", weight)]).replace(struct.pack("<I", zlib.crc32(weight)), bytes(4)),
        "many-entries.npz": b"PK\5\6" + bytes(4) + b"\xff\xff\xff\xff" + b"\xff" * 8 + bytes(2),
        "no-entries.npz": npz([]),
        "pickle.pt": b"\x80\2}q\0.",
    })


if __name__ == "__main__":
    corpus()
    pictures()
    attacks()
    sizes = [f.stat().st_size for f in HERE.glob("*/*/*")]
    print(len(sizes), "files,", sum(sizes) >> 10, "KiB")
