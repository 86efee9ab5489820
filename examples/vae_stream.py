#!/usr/bin/env python3
"""Reads and writes the stream of common/FORMAT.md with NumPy; as a program, inverts images:

    mnist-dump | python3 vae_stream.py | grid-png > inverted.png
"""
import io, json, os, sys, zlib
import numpy as np


class _ChecksummedFile:
    """A file object with the running CRC-32 of all bytes read or written."""
    def __init__(self, file):
        self.file, self.crc = file, 0

    def read(self, size):
        return self._update(self.file.read(size))

    def write(self, data):
        self.file.write(self._update(data))

    def parse_line(self, text):
        self._update(text[:-21])
        if text[-21:] != self._crc_field():
            raise ValueError("the stream is damaged or cut short")
        self._update(text[-21:])
        return json.loads(text)

    def write_line(self, **fields):
        self.write(json.dumps(fields, separators=(",", ":")).encode()[:-1])
        self.write(self._crc_field())

    def _update(self, data):
        self.crc = zlib.crc32(data, self.crc)
        return data

    def _crc_field(self):
        return b',"crc32":"%08x"}\n' % self.crc


def read(file):
    """Yields (line, dict of arrays) for the head and each verified frame. Damage or an error frame: ValueError."""
    text = file.readline(1 << 20)
    while True:
        stream = _ChecksummedFile(file)
        line = stream.parse_line(text)
        if line.get("vae") != 1:
            raise ValueError("expected a stream of version 1")
        while line["type"] != "end":
            if line["type"] == "error":
                raise ValueError(f"{line['origin']} failed: {line['message']}")
            tensors = line["tensors"] if line["type"] == "data" else []
            payloads = {t["name"]: stream.read(t["nbytes"]) for t in tensors}
            after = stream.parse_line(file.readline(1 << 20))  # its CRC-32 covers the payloads
            yield line, {name: np.load(io.BytesIO(payload)) for name, payload in payloads.items()}
            line = after
        text = file.readline(1 << 20)
        if not text:
            return  # else another stream follows


def write(file, batches, **head):
    """Writes batches, dicts of arrays of equal length, as a stream. Keywords become fields of the head."""
    stream, frames, items = _ChecksummedFile(file), 0, 0
    for batch in batches:
        little = {name: np.asarray(a).astype(np.asarray(a).dtype.newbyteorder("<"), "C") for name, a in batch.items()}
        if frames == 0:
            specs = {name: {"dtype": a.dtype.str, "shape": a.shape[1:]} for name, a in little.items()}
            stream.write_line(vae=1, type="head", tensors=specs, **head)
        tensors, payloads = [], io.BytesIO()
        for name, a in little.items():
            start = payloads.tell()
            np.save(payloads, a)
            tensors.append(dict(name=name, dtype=a.dtype.str, shape=a.shape, nbytes=payloads.tell() - start))
        stream.write_line(type="data", tensors=tensors)
        stream.write(payloads.getvalue())
        frames, items = frames + 1, items + len(a)
    stream.write_line(type="end", frames=frames, items=items)
    file.flush()


if __name__ == "__main__":
    frames = ({**arrays, "x": 255 - arrays["x"]} for line, arrays in read(sys.stdin.buffer)
              if line["type"] == "data" and "group" not in line)
    try:
        write(sys.stdout.buffer, frames)
    except BrokenPipeError:  # the reader has closed the pipe
        os._exit(0)
    except ValueError as error:  # leaves the stream without its end, so that the next program fails too
        sys.exit(f"vae_stream.py: {error}")
