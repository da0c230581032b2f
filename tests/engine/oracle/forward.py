"""The forward passes, in float64, from the models' published definitions: every decoder family in one plan, and BERT.

A `Model` says what a layer does; a tensor's presence says whether the layer has that part (biases, norms of q and k, experts, sinks).
Weights are [out, in], rotary pairs are (i, i + head_dim / 2), whatever the file had.
"""
from dataclasses import dataclass, field
from math import erf, floor, ceil, log, pi, sqrt

import numpy as np


@dataclass
class Rope:
    frequencies: np.ndarray  # [head_dim / 2], radians per position
    magnitude: float = 1.0   # of the rotated vectors (YaRN)


@dataclass
class Model:
    family: str
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    ropes: list = field(default_factory=list)    # per layer
    windows: list = field(default_factory=list)  # per layer: how many positions a query sees, itself included; None: all
    score_scale: float = 0                       # of q . k
    query_growth: tuple = None                   # (beta, length): queries grow by 1 + beta ln(1 + floor(position / length))
    embed_scale: float = 1
    activation: str = "silu"
    norm_offset: float = 0                       # added to the weights of RMS norms
    attention_softcap: float = None
    logit_softcap: float = None
    experts_used: int = 0
    routing: str = "softmax"                     # over all, then the best; "renormalised": these made to sum to 1; "chosen": softmax of the best
    swiglu_limit: float = None                   # gpt-oss
    pooling: str = None                          # "cls" or "mean": an encoder
    normalise: bool = False                      # an encoder's embedding, in the end
    weights: dict = field(default_factory=dict)

    @property
    def layers(self):
        return 1 + max(int(name.split(".")[0]) for name in self.weights if name[0].isdigit())


# Rotary frequencies


def rope(head_dim, theta, scaling=None, max_positions=None):
    """`scaling` has the keys of a Hugging Face configuration's rope_scaling; `max_positions` is the model's."""
    plain = theta ** -(np.arange(0, head_dim, 2) / head_dim)
    kind = "default" if not scaling else scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "default":
        return Rope(plain)
    if kind == "linear":
        return Rope(plain / scaling["factor"])
    if kind == "llama3":
        return Rope(llama3_frequencies(plain, scaling))
    assert kind == "yarn", kind
    return yarn(head_dim, theta, plain, scaling, max_positions)


def llama3_frequencies(plain, scaling):
    """Long waves are stretched by the factor, short ones kept, those between blended."""
    original, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = original * plain / (2 * pi)  # within the original length
    keep = np.clip((turns - low) / (high - low), 0, 1)
    return plain * (keep + (1 - keep) / factor)


def yarn(head_dim, theta, plain, scaling, max_positions):
    """YaRN (Peng et al. 2023), section 3: a ramp over the dimensions between those that turn beta_fast and beta_slow times."""
    factor = scaling["factor"]
    original = scaling.get("original_max_position_embeddings") or max_positions

    def dimension(turns):
        return head_dim * log(original / (turns * 2 * pi)) / (2 * log(theta))

    low, high = dimension(scaling.get("beta_fast") or 32), dimension(scaling.get("beta_slow") or 1)
    if scaling.get("truncate", True):
        low, high = floor(low), ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    high += 0.001 if low == high else 0
    stretch = np.clip((np.arange(head_dim // 2) - low) / (high - low), 0, 1)

    def gain(slope):
        return 0.1 * slope * log(factor) + 1 if factor > 1 else 1.0

    magnitude = scaling.get("attention_factor")
    if magnitude is None and scaling.get("mscale") and scaling.get("mscale_all_dim"):
        magnitude = gain(scaling["mscale"]) / gain(scaling["mscale_all_dim"])
    elif magnitude is None:
        magnitude = gain(1)
    return Rope(plain * (1 - stretch) + plain / factor * stretch, magnitude)


def rotate(x, rope):  # [tokens, heads, head_dim]
    angles = np.arange(len(x))[:, None, None] * rope.frequencies
    cos, sin = np.cos(angles) * rope.magnitude, np.sin(angles) * rope.magnitude
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


# Operators


def rms_norm(x, weight, eps, offset=0):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * (weight + offset)


def layer_norm(x, weight, bias, eps):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps) * weight + bias


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "silu": lambda x: x * sigmoid(x),
    "gelu": lambda x: 0.5 * x * (1 + np.vectorize(erf)(x / sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))),
}


def grown(q, growth):  # [tokens, heads, head_dim]
    """Llama 4's attention temperature, as Ministral 3 has it: the longer the context, the sharper the attention."""
    if growth is None:
        return q
    beta, length = growth
    return q * (1 + beta * np.log(1 + np.arange(len(q)) // length))[:, None, None]


def soft_cap(x, cap):
    return x if cap is None else cap * np.tanh(x / cap)


def linear(model, x, name):
    y = x @ model.weights[name + ".weight"].T
    return y + model.weights[name + ".bias"] if name + ".bias" in model.weights else y


def attention(model, layer, q, k, v, causal=True):
    """[tokens, heads, head_dim] each; a key head serves heads / kv_heads query heads in a row."""
    tokens, group = len(q), model.heads // model.kv_heads
    distance = np.arange(tokens)[:, None] - np.arange(tokens)
    window = model.windows[layer] if model.windows else None
    seen = np.full((tokens, tokens), True)
    if causal:
        seen &= distance >= 0
    if window is not None:
        seen &= distance < window
    sinks = model.weights.get(f"{layer}.sinks")
    out = np.zeros(q.shape)
    for head in range(model.heads):
        scores = soft_cap(q[:, head] @ k[:, head // group].T * model.score_scale, model.attention_softcap)
        scores = np.where(seen, scores, -np.inf)
        if sinks is not None:  # one more logit in the denominator, without a value
            scores = np.hstack([scores, np.full((tokens, 1), sinks[head])])
        out[:, head] = softmax(scores)[:, :tokens] @ v[:, head // group]
    return out.reshape(tokens, -1)


def gated(model, gate, up):
    if model.swiglu_limit is None:
        return ACTIVATIONS[model.activation](gate) * up
    gate, up = np.minimum(gate, model.swiglu_limit), np.clip(up, -model.swiglu_limit, model.swiglu_limit)
    return (up + 1) * gate * sigmoid(1.702 * gate)


def mlp(model, x, prefix):
    return linear(model, gated(model, linear(model, x, prefix + "gate"), linear(model, x, prefix + "up")), prefix + "down")


def experts(model, x, prefix):
    logits = linear(model, x, prefix + "router")
    chosen = np.argsort(-logits, axis=-1, kind="stable")[:, :model.experts_used]
    if model.routing == "chosen":
        shares = softmax(np.take_along_axis(logits, chosen, axis=-1))
    else:
        shares = np.take_along_axis(softmax(logits), chosen, axis=-1)
        if model.routing == "renormalised":
            shares = shares / shares.sum(axis=-1, keepdims=True)
    out = np.zeros(x.shape)
    for token in range(len(x)):
        for expert, share in zip(chosen[token], shares[token]):
            out[token] += share * mlp(model, x[token], f"{prefix}experts.{expert}.")
    return out


# Models


def logits(model, tokens):
    """[tokens, vocabulary]"""
    w = model.weights

    def norm(x, name):
        return rms_norm(x, w[name], model.eps, model.norm_offset)

    x = w["embed"][tokens] * model.embed_scale
    for layer in range(model.layers):
        p = f"{layer}."
        h = norm(x, p + "attention_norm")
        q = linear(model, h, p + "q").reshape(len(tokens), model.heads, model.head_dim)
        k = linear(model, h, p + "k").reshape(len(tokens), model.kv_heads, model.head_dim)
        v = linear(model, h, p + "v").reshape(len(tokens), model.kv_heads, model.head_dim)
        if p + "q_norm" in w:
            q, k = norm(q, p + "q_norm"), norm(k, p + "k_norm")
        q, k = grown(rotate(q, model.ropes[layer]), model.query_growth), rotate(k, model.ropes[layer])
        h = linear(model, attention(model, layer, q, k, v), p + "o")
        x = x + (norm(h, p + "attention_post_norm") if p + "attention_post_norm" in w else h)
        h = norm(x, p + "mlp_norm")
        h = experts(model, h, p) if p + "router.weight" in w else mlp(model, h, p)
        x = x + (norm(h, p + "mlp_post_norm") if p + "mlp_post_norm" in w else h)
    return soft_cap(norm(x, "norm") @ w.get("head", w["embed"]).T, model.logit_softcap)


def greedy(model, tokens, count):
    """The ids that follow, and by how much the closest runner-up lost."""
    ids, closest = list(tokens), np.inf
    for _ in range(count):
        last = logits(model, ids)[-1]
        best, second = np.argsort(-last)[:2]
        closest = min(closest, last[best] - last[second])
        ids.append(int(best))
    return ids[len(tokens):], closest


def embedding(model, tokens):
    """An encoder's pooled vector, before normalisation: BERT, post-norm, bidirectional, all tokens of segment 0."""
    w, n = model.weights, len(tokens)

    def norm(x, name):
        return layer_norm(x, w[name + ".weight"], w[name + ".bias"], model.eps)

    x = norm(w["embed"][tokens] + w["positions"][:n] + w["segments"][0], "embed_norm")
    for layer in range(model.layers):
        p = f"{layer}."
        q, k, v = (linear(model, x, p + name).reshape(n, model.heads, model.head_dim) for name in "qkv")
        x = norm(x + linear(model, attention(model, layer, q, k, v, causal=False), p + "o"), p + "attention_post_norm")
        h = ACTIVATIONS[model.activation](linear(model, x, p + "up"))
        x = norm(x + linear(model, h, p + "down"), p + "mlp_post_norm")
    return x[0] if model.pooling == "cls" else x.mean(axis=0)
