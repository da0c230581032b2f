"""Encoders and decoders of every stored element type, over numpy arrays.

`encode(TYPE, values)` makes valid blocks the simplest way there is; their quality is no concern. `decode(TYPE, bytes)` gives what they mean,
exactly, in float64. Layouts: the GGUF block formats; OCP 8-bit floating point (E4M3) and OCP microscaling (MXFP4).
"""
import numpy as np

# name: (GGUF type id or None, elements per block, bytes per block)
TYPES = {
    "F32": (0, 1, 4), "F16": (1, 1, 2), "BF16": (30, 1, 2), "F8_E4M3": (None, 1, 1),
    "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34),
    "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210),
    "IQ4_NL": (20, 32, 18), "IQ4_XS": (23, 256, 136), "MXFP4": (39, 32, 17),
}

IQ4 = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], float)
FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], float)


def size_bytes(kind, elements):
    _, per_block, block_bytes = TYPES[kind]
    assert elements % per_block == 0, (kind, elements)
    return elements // per_block * block_bytes


def encode(kind, values):
    values = np.asarray(values, float).reshape(-1)
    if kind in PLAIN:
        return PLAIN[kind][0](values)
    blocks = BLOCKED[kind][0](values.reshape(-1, TYPES[kind][1]))
    assert blocks.dtype == np.uint8 and blocks.shape[1] == TYPES[kind][2]
    return blocks.tobytes()


def decode(kind, data):
    if kind in PLAIN:
        return PLAIN[kind][1](data)
    blocks = np.frombuffer(data, np.uint8).reshape(-1, TYPES[kind][2])
    return BLOCKED[kind][1](blocks).reshape(-1)


# Plain types


def bf16_encode(values):
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    nearest_even = bits + 0x7FFF + (bits >> 16 & 1)
    return (nearest_even >> 16).astype("<u2").tobytes()


def bf16_decode(data):
    return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).astype(float)


def _e4m3(code):
    """One sign bit, four exponent bits with bias 7, three of mantissa; no infinities, only S.1111.111 is NaN."""
    sign, exponent, mantissa = -1.0 if code & 0x80 else 1.0, code >> 3 & 15, code & 7
    if exponent == 15 and mantissa == 7:
        return np.nan
    return sign * (mantissa / 8 * 2.0**-6 if exponent == 0 else (1 + mantissa / 8) * 2.0 ** (exponent - 7))


E4M3 = np.array([_e4m3(code) for code in range(256)])


def f8_encode(values):
    magnitudes = E4M3[:127]  # 0 to 448, ascending
    code = np.searchsorted((magnitudes[1:] + magnitudes[:-1]) / 2, np.abs(values))
    return (code + np.where(np.signbit(values), 128, 0)).astype(np.uint8).tobytes()


PLAIN = {
    "F32": (lambda v: v.astype("<f4").tobytes(), lambda d: np.frombuffer(d, "<f4").astype(float)),
    "F16": (lambda v: v.astype("<f2").tobytes(), lambda d: np.frombuffer(d, "<f2").astype(float)),
    "BF16": (bf16_encode, bf16_decode),
    "F8_E4M3": (f8_encode, lambda d: E4M3[np.frombuffer(d, np.uint8)]),
}


# Pieces of blocks


def half_bytes(values):  # [n] -> [n, 2]
    return np.asarray(values, float).astype("<f2").reshape(-1, 1).view(np.uint8)


def half(blocks, at):  # -> [n, 1]
    return np.ascontiguousarray(blocks[:, at:at + 2]).view("<f2").astype(float)


def stored_half(values):
    """What is left of a scale once it is stored."""
    return np.asarray(values, float).astype("<f2").astype(float).reshape(-1, 1)


def split_nibbles(q):  # [n, 2m] -> [n, m]: the first half in the low nibbles, the second in the high ones
    middle = q.shape[1] // 2
    return (q[:, :middle] | q[:, middle:] << 4).astype(np.uint8)


def join_nibbles(packed):
    return np.concatenate([packed & 15, packed >> 4], axis=1)


def round_to(x, scale, low, high):
    """round(x / scale) within [low, high]; 0 where the scale is 0."""
    scale = np.broadcast_to(scale, x.shape)
    q = np.divide(x, scale, out=np.zeros(x.shape), where=scale != 0)
    return np.clip(np.rint(q), low, high).astype(int)


def extreme(x):
    """Per row: the value of largest magnitude, with its sign."""
    return np.take_along_axis(x, np.abs(x).argmax(axis=-1)[..., None], axis=-1)


def nearest(table, x):
    return np.abs(x[..., None] - table).argmin(axis=-1)


def fifth_bits(q):  # [n, 32] -> [n, 4]
    return np.packbits((q >> 4 & 1).astype(np.uint8), axis=1, bitorder="little")


def bits(packed):  # [n, m] -> [n, 8m]
    return np.unpackbits(packed, axis=1, bitorder="little").astype(int)


# Blocks of 32


def q8_0_encode(x):
    d = stored_half(np.abs(x).max(axis=1) / 127)
    return np.hstack([half_bytes(d), round_to(x, d, -127, 127).astype(np.int8).view(np.uint8)])


def q8_0_decode(b):
    return half(b, 0) * b[:, 2:].view(np.int8)


def q4_0_encode(x):
    d = stored_half(extreme(x) / -8)
    return np.hstack([half_bytes(d), split_nibbles(round_to(x, d, -8, 7) + 8)])


def q4_0_decode(b):
    return half(b, 0) * (join_nibbles(b[:, 2:]).astype(float) - 8)


def q4_1_encode(x):
    d, m = stored_half((x.max(axis=1) - x.min(axis=1)) / 15), stored_half(x.min(axis=1))
    return np.hstack([half_bytes(d), half_bytes(m), split_nibbles(round_to(x - m, d, 0, 15))])


def q4_1_decode(b):
    return half(b, 0) * join_nibbles(b[:, 4:]) + half(b, 2)


def q5_0_encode(x):
    d = stored_half(extreme(x) / -16)
    q = round_to(x, d, -16, 15) + 16
    return np.hstack([half_bytes(d), fifth_bits(q), split_nibbles(q & 15)])


def q5_0_decode(b):
    return half(b, 0) * (join_nibbles(b[:, 6:]) + 16.0 * bits(b[:, 2:6]) - 16)


def q5_1_encode(x):
    d, m = stored_half((x.max(axis=1) - x.min(axis=1)) / 31), stored_half(x.min(axis=1))
    q = round_to(x - m, d, 0, 31)
    return np.hstack([half_bytes(d), half_bytes(m), fifth_bits(q), split_nibbles(q & 15)])


def q5_1_decode(b):
    return half(b, 0) * (join_nibbles(b[:, 8:]) + 16.0 * bits(b[:, 4:8])) + half(b, 2)


def iq4_nl_encode(x):
    d = stored_half(extreme(x) / -127)
    scaled = np.divide(x, d, out=np.zeros(x.shape), where=d != 0)
    return np.hstack([half_bytes(d), split_nibbles(nearest(IQ4, scaled))])


def iq4_nl_decode(b):
    return half(b, 0) * IQ4[join_nibbles(b[:, 2:])]


def mxfp4_parts(x):
    """Blocks of 32 values -> E8M0 exponents [n], codes [n, 32]."""
    largest = np.abs(x).max(axis=1)
    exponent = np.where(largest > 0, np.floor(np.log2(np.where(largest > 0, largest, 1))) - 2, -127)
    exponent = np.clip(exponent, -127, 127)
    return (exponent + 127).astype(np.uint8), nearest(FP4, x / 2.0 ** exponent[:, None])


def e8m0(codes):
    """Powers of two, 2^-127 to 2^127; 255 is NaN."""
    codes = np.asarray(codes)
    return np.where(codes == 255, np.nan, 2.0 ** (codes.astype(float) - 127))


def mxfp4_encode(x):
    exponents, codes = mxfp4_parts(x)
    return np.hstack([exponents[:, None], split_nibbles(codes)])


def mxfp4_decode(b):
    return e8m0(b[:, :1]) * FP4[join_nibbles(b[:, 1:])]


def mxfp4_hf_encode(values):
    """[..., in] -> blocks [..., in / 32, 16] and scales [..., in / 32]; an even element is the low nibble."""
    values = np.asarray(values, float)
    groups = values.shape[:-1] + (values.shape[-1] // 32,)
    exponents, codes = mxfp4_parts(values.reshape(-1, 32))
    packed = (codes[:, 0::2] | codes[:, 1::2] << 4).astype(np.uint8)
    return packed.reshape(groups + (16,)), exponents.reshape(groups)


def mxfp4_hf_decode(blocks, scales):
    codes = np.stack([blocks & 15, blocks >> 4], axis=-1).reshape(blocks.shape[:-1] + (32,))
    values = e8m0(scales)[..., None] * FP4[codes]
    return values.reshape(scales.shape[:-1] + (scales.shape[-1] * 32,))


# Blocks of 256


def pack_k_scales(scales, mins):  # two of [n, 8], six bits each -> [n, 12]
    low = scales[:, :4] | scales[:, 4:] >> 4 << 6
    middle = mins[:, :4] | mins[:, 4:] >> 4 << 6
    high = scales[:, 4:] & 15 | (mins[:, 4:] & 15) << 4
    return np.hstack([low, middle, high]).astype(np.uint8)


def unpack_k_scales(packed):
    s = packed.astype(int)
    low, middle, high = s[:, :4], s[:, 4:8], s[:, 8:]
    scales = np.hstack([low & 63, high & 15 | low >> 6 << 4])
    mins = np.hstack([middle & 63, high >> 4 | middle >> 6 << 4])
    return scales, mins


def k_quantise(x, levels):
    """Eight groups of 32 -> d, dmin, scales, mins and q [n, 8, 32] with x ~ d * scale * q - dmin * min."""
    x = x.reshape(-1, 8, 32)
    lowest = np.maximum(0, -x.min(axis=2))
    step = (np.maximum(x.max(axis=2), -lowest) + lowest) / levels
    d, dmin = stored_half(step.max(axis=1) / 63), stored_half(lowest.max(axis=1) / 63)
    scales, mins = round_to(step, d, 0, 63), round_to(lowest, dmin, 0, 63)
    q = round_to(x + (dmin * mins)[..., None], (d * scales)[..., None], 0, levels)
    return d, dmin, scales, mins, q


def k_values(b, q):  # q [n, 8, 32]
    scales, mins = unpack_k_scales(b[:, 4:16])
    return (half(b, 0) * scales)[..., None] * q - (half(b, 2) * mins)[..., None]


def q4_k_encode(x):
    d, dmin, scales, mins, q = k_quantise(x, 15)
    nibbles = q[:, 0::2] | q[:, 1::2] << 4  # [n, 4, 32]: group 2j low, group 2j + 1 high
    return np.hstack([half_bytes(d), half_bytes(dmin), pack_k_scales(scales, mins), nibbles.reshape(-1, 128).astype(np.uint8)])


def k_low_bits(packed):  # [n, 128] -> [n, 8, 32]
    packed = packed.reshape(-1, 4, 32).astype(int)
    return np.stack([packed & 15, packed >> 4], axis=2).reshape(-1, 8, 32)


def q4_k_decode(b):
    return k_values(b, k_low_bits(b[:, 16:]))


def q5_k_encode(x):
    d, dmin, scales, mins, q = k_quantise(x, 31)
    nibbles = q[:, 0::2] & 15 | (q[:, 1::2] & 15) << 4
    high = np.zeros((len(q), 32), int)
    for group in range(8):
        high |= (q[:, group] >> 4) << group
    return np.hstack([half_bytes(d), half_bytes(dmin), pack_k_scales(scales, mins), high.astype(np.uint8),
                      nibbles.reshape(-1, 128).astype(np.uint8)])


def q5_k_decode(b):
    high = b[:, 16:48].astype(int)
    fifth = np.stack([high >> group & 1 for group in range(8)], axis=1)
    return k_values(b, k_low_bits(b[:, 48:]) + 16 * fifth)


def q6_k_encode(x):
    groups = x.reshape(-1, 16, 16)
    step = extreme(groups)[..., 0] / -32
    d = stored_half(extreme(step) / -128)
    scales = round_to(step, d, -128, 127)
    q = round_to(groups, (d * scales)[..., None], -32, 31) + 32
    quarters = q.reshape(-1, 2, 4, 32)  # half of the block, quarter of the half, element
    low = np.concatenate([quarters[:, :, 0] & 15 | (quarters[:, :, 2] & 15) << 4,
                          quarters[:, :, 1] & 15 | (quarters[:, :, 3] & 15) << 4], axis=2)
    high = sum((quarters[:, :, i] >> 4) << 2 * i for i in range(4))
    return np.hstack([low.reshape(-1, 128).astype(np.uint8), high.reshape(-1, 64).astype(np.uint8),
                      scales.astype(np.int8).view(np.uint8), half_bytes(d)])


def q6_k_decode(b):
    low = b[:, :128].reshape(-1, 2, 64).astype(int)
    high = b[:, 128:192].reshape(-1, 2, 32).astype(int)
    quarters = [low[:, :, :32] & 15, low[:, :, 32:] & 15, low[:, :, :32] >> 4, low[:, :, 32:] >> 4]
    q = np.stack([quarters[i] | (high >> 2 * i & 3) << 4 for i in range(4)], axis=2) - 32
    scales = np.ascontiguousarray(b[:, 192:208]).view(np.int8).astype(float)
    return (half(b, 208) * scales)[..., None] * q.reshape(-1, 16, 16)


def iq4_xs_encode(x):
    groups = x.reshape(-1, 8, 32)
    step = extreme(groups)[..., 0] / -127
    d = stored_half(extreme(step) / -32)
    scales = round_to(step, d, -32, 31)
    actual = np.broadcast_to((d * scales)[..., None], groups.shape)
    codes = nearest(IQ4, np.divide(groups, actual, out=np.zeros(groups.shape), where=actual != 0))
    stored = scales + 32
    low = stored[:, 0::2] & 15 | (stored[:, 1::2] & 15) << 4
    high = sum((stored[:, i] >> 4) << 2 * i for i in range(8)).astype("<u2").reshape(-1, 1).view(np.uint8)
    return np.hstack([half_bytes(d), high, low.astype(np.uint8), split_nibbles(codes.reshape(-1, 32)).reshape(-1, 128)])


def iq4_xs_decode(b):
    high = np.ascontiguousarray(b[:, 2:4]).view("<u2").astype(int)
    low = b[:, 4:8].astype(int)
    scales = np.stack([(low[:, i // 2] >> 4 * (i % 2) & 15) | (high[:, 0] >> 2 * i & 3) << 4 for i in range(8)], axis=1)
    codes = join_nibbles(b[:, 8:].reshape(-1, 16)).reshape(-1, 8, 32)
    return (half(b, 0) * (scales - 32))[..., None] * IQ4[codes]


BLOCKED = {
    "Q8_0": (q8_0_encode, q8_0_decode), "Q4_0": (q4_0_encode, q4_0_decode), "Q4_1": (q4_1_encode, q4_1_decode),
    "Q5_0": (q5_0_encode, q5_0_decode), "Q5_1": (q5_1_encode, q5_1_decode), "Q4_K": (q4_k_encode, q4_k_decode),
    "Q5_K": (q5_k_encode, q5_k_decode), "Q6_K": (q6_k_encode, q6_k_decode), "IQ4_NL": (iq4_nl_encode, iq4_nl_decode),
    "IQ4_XS": (iq4_xs_encode, iq4_xs_decode), "MXFP4": (mxfp4_encode, mxfp4_decode),
}
