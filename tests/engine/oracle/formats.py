"""Readers and writers of the two container formats, GGUF v3 and safetensors."""
import json
import struct
from pathlib import Path

import numpy as np

import blocks

# safetensors: name of the element type -> numpy type of the stored elements
STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "F8_E4M3": "u1", "U8": "u1", "I8": "i1", "I32": "<i4", "I64": "<i8"}


def write_safetensors(path, tensors):
    """tensors: name -> (type, shape, bytes)."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (kind, shape, content) in sorted(tensors.items()):
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(head)) + head + data)


def read_safetensors(path):
    """name -> (type, array): floating-point types as float64, integers as they are, F8_E4M3 decoded without its scale."""
    content = Path(path).read_bytes()
    length = struct.unpack_from("<Q", content)[0]
    tensors = {}
    for name, entry in json.loads(content[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        kind, data = entry["dtype"], content[begin:end]
        values = blocks.decode(kind, data) if kind in blocks.PLAIN else np.frombuffer(data, STORED[kind])
        tensors[name] = kind, values.reshape(entry["shape"])
    return tensors


# GGUF: names of the value types -> (id, struct format)
VALUES = {"u8": (0, "B"), "i8": (1, "b"), "u16": (2, "H"), "i16": (3, "h"), "u32": (4, "I"), "i32": (5, "i"), "f32": (6, "f"),
          "bool": (7, "?"), "u64": (10, "Q"), "i64": (11, "q"), "f64": (12, "d")}
STRING, ARRAY = 8, 9


def gguf_string(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_value(kind, value):
    """kind: a name of VALUES, "str", or one of these in brackets: an array."""
    if kind == "str":
        return struct.pack("<I", STRING) + gguf_string(value)
    if kind.startswith("["):
        items = [gguf_value(kind[1:-1], item) for item in value]
        return struct.pack("<I", ARRAY) + gguf_value(kind[1:-1], "" if kind == "[str]" else 0)[:4] + \
            struct.pack("<Q", len(items)) + b"".join(item[4:] for item in items)
    number, code = VALUES[kind]
    return struct.pack("<I" + code, number, value)


def write_gguf(path, keys, tensors, alignment=32):
    """keys: [(name, kind, value)]; tensors: [(name, shape as numpy has it, type, bytes)]."""
    keys = keys + [("general.alignment", "u32", alignment)] * (alignment != 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for name, kind, value in keys:
        head += gguf_string(name) + gguf_value(kind, value)
    data = b""
    for name, shape, kind, content in tensors:
        data += b"\0" * (-len(data) % alignment)
        head += gguf_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), blocks.TYPES[kind][0], len(data))
        data += content
    head += b"\0" * (-len(head) % alignment)
    Path(path).write_bytes(head + data)


def write_split_gguf(folder, keys, tensors, parts):
    """model-0000I-of-0000N.gguf: the first part has all keys, each has those of the split."""
    for part in range(parts):
        split = [("split.no", "u16", part), ("split.count", "u16", parts), ("split.tensors.count", "i32", len(tensors))]
        share = tensors[len(tensors) * part // parts:len(tensors) * (part + 1) // parts]
        write_gguf(Path(folder) / f"model-{part + 1:05}-of-{parts:05}.gguf", (keys if part == 0 else []) + split, share)


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 4

    def take(self, code):
        value = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += struct.calcsize("<" + code)
        return value

    def string(self):
        length = self.take("Q")
        self.at += length
        return self.data[self.at - length:self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            item = self.take("I")
            return [self.value(item) for _ in range(self.take("Q"))]
        return self.take(next(code for number, code in VALUES.values() if number == kind))


def read_gguf(path):
    """keys, name -> (type, float64 array). `path` may be the first part of several."""
    path = Path(path)
    paths = [path]
    if "-00001-of-" in path.name:
        paths = sorted(path.parent.glob(path.name.replace("-00001-of-", "-?????-of-")))
    keys, tensors = {}, {}
    for part in paths:
        part_keys, part_tensors = read_gguf_file(part)
        keys, tensors = part_keys | keys, tensors | part_tensors
    return keys, tensors


def read_gguf_file(path):
    cursor = Cursor(Path(path).read_bytes())
    version, n_tensors, n_keys = cursor.take("I"), cursor.take("Q"), cursor.take("Q")
    assert version == 3
    keys = {}
    for _ in range(n_keys):
        name = cursor.string()
        keys[name] = cursor.value(cursor.take("I"))
    infos = []
    for _ in range(n_tensors):
        name = cursor.string()
        dims = [cursor.take("Q") for _ in range(cursor.take("I"))]
        infos.append((name, dims[::-1], cursor.take("I"), cursor.take("Q")))
    alignment = keys.get("general.alignment", 32)
    start = cursor.at + -cursor.at % alignment
    tensors = {}
    for name, shape, number, offset in infos:
        kind = next(kind for kind, (i, _, _) in blocks.TYPES.items() if i == number)
        begin = start + offset
        data = cursor.data[begin:begin + blocks.size_bytes(kind, int(np.prod(shape)))]
        tensors[name] = kind, blocks.decode(kind, data).reshape(shape)
    return keys, tensors
